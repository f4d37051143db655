"""`python -m lightningstor` is `lightningstor-server`."""

import sys

from lightningstor.cli import server_main

sys.exit(server_main())
