"""The demo: real media, six projects, their truths, and annotators simulated from them."""
