"""Train and evaluate: python run_recbole_popaware.py --model=PopSASRec [--key=value ...]."""

import sys

from recbole_popaware.cli import main

if __name__ == "__main__":
    sys.exit(main())
