"""What lasts in a worker from one trial to the next."""

from ganbench.plugin import Data, GanbenchError, Host
from ganbench.study.archive import Archive
from ganbench.study.compute import set_up_torch
from ganbench.study.ledger import Ledger
from ganbench.study.link import Link
from ganbench.study.messages import Job
from ganbench.study.observers import Observers
from ganbench.study.run_plan import fingerprint


class Workplace:
    """The data, the evaluator, the ledger, the files.

    Parameters
    ----------
    job : Job
    link : Link

    Raises
    ------
    GanbenchError
        If a plugin file was edited since the study began, or something cannot be had.
    """

    def __init__(self, job: Job, link: Link) -> None:
        import torch

        from ganbench.data.load import load_data
        from ganbench.evaluation.evaluator import Evaluator
        from ganbench.evaluation.inspecting import Inspector

        set_up_torch(job.device)
        self.job, self.link = job, link
        self.archive = Archive(job.report, job.files)
        self.files = self.archive.open_files(link.notice, link.stopped_waiting)
        self.host = Host(job.plugins)
        check_plugins(job, self.host)
        self.observers = Observers(self.host, link.notice)
        self.device = torch.device(job.device)
        self.data: Data = load_data(
            job.dataset.name, job.dataset.parameters, self.host, job.data_root, link.progress
        )
        self.evaluator = Evaluator(
            job.evaluation, self.data, self.host, self.device, job.cache, link.progress
        )
        self.inspector = Inspector(job.evaluation, self.data, self.host, self.evaluator)
        self.ledger = Ledger(
            self.archive.folder,
            job.definition,
            job.storage,
            link.notice,
            hurry=link.stopped_waiting,
            patient=True,
        )


def check_plugins(job: Job, host: Host) -> None:
    """Make sure that plugin files are what they were when the study began.

    Raises
    ------
    GanbenchError
        If one was edited since: its results would stand under another one's fingerprint.
    """
    for key, began_with in job.fingerprints.items():
        if fingerprint(job.configs[key], job.instrument, host) != began_with:
            files = ", ".join(str(file) for file in job.plugins)
            raise GanbenchError(
                f"a plugin file was edited after the study began ({files}); the same command "
                "goes on with it as it is now"
            )
