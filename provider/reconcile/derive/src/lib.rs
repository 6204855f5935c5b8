//! The derive that reads from a struct how its fields are compared and what mends a difference.

mod managed;
mod part;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a part of a graph: `#[part(kind = "nat_gateway")]` on the struct, and per field, where it is not
/// compared whole and changed in place, `#[part(…)]` with
/// - how it is compared: `unordered`, `own_entries`, `not_compared` or `as_applied` (`reconcile::part::FieldRule`);
/// - what mends a difference: `replace`, where it cannot be changed in place; `change = function`, where it depends on the
///   values: `fn(is: &Value, should: &Value) -> Remedy`;
/// - `later`, where the part can be made before what the field refers to is there.
///
/// A field `tags` is always compared by entry and mended in place; a field that serde skips takes no part.
#[proc_macro_derive(Part, attributes(part))]
pub fn part(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    part::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes a model that of a declared resource (`reconcile::resource::Managed`): by its fields `name`, `timeouts` and `common`.
#[proc_macro_derive(Managed)]
pub fn managed(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    managed::expand(&input).into()
}
