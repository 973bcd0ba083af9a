"""A source of any kind -> a folder to learn from (`finetune.records`), with its splits, its leaks and its report.

sources    what is named, found: `public` sets, `tables` of one's own; `asking` makes the task, `pages` a document
images     stored once each, hashed; `journal` keeps what is done
copies     which pictures are copies of another
splits     what belongs together goes to one side; `leaks` between the splits that a source has
report     what came of it, in numbers; `show` tells it
"""

from finetune.prepare.options import Options
from finetune.prepare.report import Report
from finetune.prepare.run import Prepared, Progress, prepare
from finetune.prepare.show import report_text

__all__ = ["Options", "Prepared", "Progress", "Report", "prepare", "report_text"]
