//! The derive that turns a plain struct into schema, documentation, decoding and encoding.
