"""``python -m multisite_lab.guest``: build the image and print its path."""

import sys

from multisite_lab.guest.image import image

print(image(lambda line: print(line, file=sys.stderr)))
