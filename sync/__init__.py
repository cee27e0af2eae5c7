"""Moving objects, states and facts between archives."""
