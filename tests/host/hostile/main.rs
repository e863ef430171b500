//! Input that is damaged or was made to hurt: always an error that says what and where, never a panic.

mod importer;
