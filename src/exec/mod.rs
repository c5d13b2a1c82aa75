//! One operation of the IR on runtime values, and the oracle that interprets whole functions.
