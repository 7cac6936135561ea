"""A study with searches, and a made-up objective in place of training, whose minimum is known."""

from math import log10

from ganbench.config.check import check_study
from ganbench.config.model import Study
from ganbench.study.design import expand
from ganbench.study.ledger import Ledger
from ganbench.study.records import Ending
from ganbench.study.results import EvaluationPoint
from ganbench.study.run_plan import definition_of
from ganbench.study.searches import searches_of

BASE = {
    "name": "tiny",
    "question": "Does it run?",
    "dataset": {"name": "ring", "samples": 1000},
    "baseline": {"architecture": {"name": "mlp", "hidden": 8}, "batch_size": 8, "steps": 8},
    "seeds": [0, 1],
    "evaluation": {"extractor": "coordinates", "samples": 64, "every": 2, "batch_size": 64},
}
LR = "optimizers.generator.lr"
SPACE = {LR: {"low": 1e-5, "high": 1e-1, "log": True}, "latent.dimension": [16, 64]}
SEARCH = {"kind": "search", "trials": 12, "seeds": [100, 101], "space": SPACE}


def study_of(host, **changes):
    resolved, problems = check_study({**BASE, **changes}, host)
    assert problems == []
    return Study.model_validate(resolved)


def searches_for(study, host):
    return searches_of(study, expand(study, host), host, lambda config: "print")


def objective(config, seed):
    """A bowl with its bottom, 1, at a learning rate of 1e-3 and 16 latent dimensions."""
    lr, dimension = config["optimizers"]["generator"]["lr"], config["latent"]["dimension"]
    return (1 + (log10(lr) + 3) ** 2 + (dimension != 16)) * (1 + 0.01 * (seed % 2))


def point(step, value, health="healthy"):
    return EvaluationPoint(step, 0.1 * step, {"fid": value}, health, {})


def ending(value, outcome="complete", second=None):
    return Ending(outcome, value, (point(8, value),), 0.8, 0.1, 8, None, {}, second)


class Play:
    """Runs the searches of a study on a ledger, with ``workers`` hands and any objective."""

    def __init__(self, folder, study, host, objective=objective):
        self.study, self.host, self.objective = study, host, objective
        self.searches = searches_for(study, host)
        names = tuple(self.searches.rules)
        arms = (*expand(study, host), *self.searches.arms)
        self.ledger = Ledger(folder, definition_of(study, arms, names))

    @property
    def search(self):
        return self.searches.searches[0]

    def wanted(self):
        records = self.ledger.records()
        return [cell for search in self.searches.searches for cell in search.wanted(records)]

    def to_the_end(self, workers=1, seed=0, most=10_000):
        """Train what is wanted, ``workers`` at a time, ending in another order than they began."""
        hands, ended = [], 0
        while ended < most:
            known = -1
            while known != (known := len(self.wanted())):  # one may answer the next
                self.ledger.queue(self.wanted(), orphans=False)
            while len(hands) < workers and (claim := self.ledger.claim()) is not None:
                hands.append(claim)
            if not hands:
                break
            claim = hands.pop((7 * seed + 5 * ended) % len(hands))
            result = self.objective(claim.config, claim.seed)
            if result is None:
                self.ledger.fail(claim.number, "failed", "MemoryError: no")
            else:
                made = result if isinstance(result, Ending) else ending(result)
                self.ledger.finish(claim.number, made)
            ended += 1
        return ended

    def settled(self):
        """Return the arm that the search came to."""
        (arm,), _ = self.searches.settled(self.searches.arms, self.ledger.records())
        return arm

    def tried(self):
        """Return each configuration's parameters, in order."""
        from ganbench.study.search import tried

        found = tried(self.search.rules, self.ledger.records())
        return [dict(one.parameters) for one in found.values()]
