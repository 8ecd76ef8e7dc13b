"""What each path of the API answers, by what it is about. Shapes follow recorded answers and the server's documented behaviour."""
