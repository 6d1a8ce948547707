"""Drills: what may go wrong is made to go wrong, and the real parts are watched while they answer."""
