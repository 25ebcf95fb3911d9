"""What a topology means for every node, as files: pure, except ``tree`` which writes them."""
