"""Inception score: how surely each sample is of an ImageNet class, and they all of many.

How to use: ``metrics: [fid, inception_score]`` with ``extractor: inception`` or, for the number
that torch-fidelity gives, ``inception-tf``: no other network's score bears the name. For
labelled data of one's own, see ``classifier_score``.

Parameters: ``splits``: parts of the samples that are scored apart.

Details and trade-offs: exp(E KL(p(y|x) || p(y))), the mean over the splits, from the outputs
of the last layer without its bias, as in the authors' program. It never looks at the data: one
perfect image a class scores best, and a set unlike ImageNet says nothing. It grows with the
samples in a split (the field has 5,000), and with ``inception`` images are resized as
pytorch-fid does it, not as the authors: compare within the study. Next to free: the features
are there.

Attribution: Salimans et al., 2016, section 4; the splits and their order are torch-fidelity's.
"""

from ganbench.plugin import Annotated, Data, Field, Metric, MetricContext, MetricParameters

from ._score import split_scores


class InceptionScore(Metric):
    """How sure the Inception network is of each sample, and how varied it finds them all."""

    name = "inception_score"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "inception_score": "Inception score, the mean over splits; 1 to 1,008, higher is better; "
        "takes no notice of the data, and depends on the samples in a split",
        "inception_score_std": "standard deviation of inception_score over the splits; not over "
        "seeds",
    }
    extractors = ("inception", "inception-tf")

    class Parameters(MetricParameters):
        """Parameters of `InceptionScore`."""

        splits: Annotated[int, Field(ge=1, le=100)] = 10
        """Parts of the samples that are scored apart."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images."""
        return (True, "") if data.is_image else (False, "it takes images, and these are points")

    def least_samples(self, width: int) -> int:
        """Need a sample in each split."""
        return int(self.parameters.splits)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return mean and standard deviation over the splits."""
        logits = ctx.extractor_logits()
        if logits is None:
            raise ValueError("the extractor gives no logits")
        scores = split_scores(logits, self.parameters.splits)
        return {
            "inception_score": float(scores.mean()),
            "inception_score_std": float(scores.std(correction=0)),
        }
