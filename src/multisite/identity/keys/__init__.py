"""The keys that let every site's Keystone trust the others' tokens: owned, rotated and distributed by one service."""
