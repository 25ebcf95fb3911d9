"""The Fernet repositories (tokens, receipts, credentials): the same keys at every site."""
