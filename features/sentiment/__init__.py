"""What customers wrote, scored: texts to vectors to P(positive), and features of the scores."""
