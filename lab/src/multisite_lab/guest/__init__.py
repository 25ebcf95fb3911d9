"""The tiny guest of the lab: a bootable disk image made from Debian packages only.

It carries a guest agent that can freeze it, a workload that writes to both of its disks, and a proof of
itself: at boot it tells on the serial console whether its two disks are of one moment (see ``console``).
Nothing here needs root, a loop device or a mount.
"""

from multisite_lab.guest.image import image

__all__ = ["image"]
