"""How many near-copies are found, and how many pairs are named that are none.

python -m bench.likeness --images DIR [--quick]

Every picture in DIR (photographs; drawings in ZIPs of it too) is resized, encoded again, cropped a little,
made brighter and darker, and mirrored: each change makes a pair that should be found. Pairs of different
pictures should not. The same is asked of the drawn families that the studio ships. The baseline, on the
same pictures, is ImageHash's perceptual hash; it is held at that distance at which it finds the most without
naming more than 1 % of the other pairs.
"""

import argparse
from pathlib import Path

from bench.work.near_copies import compare


def main() -> None:
    """Run the comparison and print its table, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="a folder with photographs and ZIPs")
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds, with fewer pictures")
    options = parser.parse_args()
    figures = compare(options.images, drawings=60 if options.quick else 400)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
