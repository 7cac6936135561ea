"""Classifier score: the Inception score's formula, by the study's own classifier.

How to use: ``metrics: [fid, classifier_score]``, on labelled images, with any extractor.

Parameters: ``splits``: parts of the samples that are scored apart.

Details and trade-offs: exp(E KL(p(y|x) || p(y))), the mean over the splits, of the classes
that the data have, by the network that the protocol names under ``classifier``. It is no
Inception score, and compares with the same data's and weights' only. 1 to the number of
classes; a perfect generator scores a little less, as the data do, since the classifier is not
always sure. It takes no notice of the data: one image a class scores best. Next to free where
``modes`` is measured.

Attribution: Salimans et al., 2016, section 4, has the formula; a classifier of the data in
place of Inception is usual on MNIST, so in Dai et al., 2017, section 5.
"""

from ganbench.plugin import (
    Annotated,
    Data,
    Field,
    Metric,
    MetricContext,
    MetricParameters,
    can_classify,
)

from ._score import split_scores


class ClassifierScore(Metric):
    """How sure the study's classifier is of each sample, and how varied it finds them all."""

    name = "classifier_score"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "classifier_score": "the Inception score's formula under the study's own classifier, the "
        "mean over splits; 1 to the number of classes, higher is better; no Inception score, and "
        "takes no notice of the data",
        "classifier_score_std": "standard deviation of classifier_score over the splits; not "
        "over seeds",
    }

    class Parameters(MetricParameters):
        """Parameters of `ClassifierScore`."""

        splits: Annotated[int, Field(ge=1, le=100)] = 10
        """Parts of the samples that are scored apart."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need labelled images of two classes or more."""
        return can_classify(data)

    def least_samples(self, width: int) -> int:
        """Need a sample in each split."""
        return int(self.parameters.splits)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return mean and standard deviation over the splits."""
        logits = ctx.classifier_logits()
        if logits is None:
            raise ValueError("a classifier's score was asked of data that have no classifier")
        scores = split_scores(logits, self.parameters.splits)
        return {
            "classifier_score": float(scores.mean()),
            "classifier_score_std": float(scores.std(correction=0)),
        }
