"""Image engines in PyTorch and NumPy: no Django, no Redis, no network.

Importing this package imports nothing heavy. Modules free of torch (`progress`, `errors`, `crops`, `images`,
`dataset`, `manifest`, `provenance`, `stylegan.config`) may be used by a web process; the others belong to
workers and to the command line (`python -m engines --help`).
"""

import os

# Before any library reads it: models come from folders on this machine, and nothing is ever downloaded.
os.environ["HF_HUB_OFFLINE"] = "1"
