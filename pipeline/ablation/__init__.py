"""What each step of compilation brings, measured by leaving that one out."""
