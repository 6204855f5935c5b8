//! Floor 0: the wire. tfplugin6 and go-plugin messages and services.
