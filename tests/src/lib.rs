//! Nothing but its integration tests, in `it/`: they start real servers, and talk to them as
//! browsers do.
