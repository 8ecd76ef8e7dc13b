"""What tests share: fakes with behaviour, and the servers that they run against."""
