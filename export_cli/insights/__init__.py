"""What the exports of weeks say about an environment, as one page for people."""
