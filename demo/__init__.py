"""`make demo`: a real application survives the loss of the OpenStack site it ran in, and proves it."""
