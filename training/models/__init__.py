"""What a fitted model is and what it says of a customer: pure, and all that is served."""
