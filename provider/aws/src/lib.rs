//! Floor 4: AWS configuration, clients, errors and the parts made of AWS objects.
