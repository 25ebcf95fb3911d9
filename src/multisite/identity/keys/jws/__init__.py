"""JWS key pairs: one at each site, whose public half is at all of them."""
