"""One build per project and branch at a time: locks with an owner, a lease and a fence."""
