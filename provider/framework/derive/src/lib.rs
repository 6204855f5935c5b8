//! The derives that turn plain Rust types into schema, documentation, decoding and encoding.

mod arguments;
mod choice;
mod input;
mod model;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a model: attributes and blocks with their descriptions (from doc comments), decoding and encoding.
///
/// On the struct: `#[model(deprecated = "…")]`. On fields:
/// - `#[attribute(…)]` with any of `required`, `optional`, `computed`, `default = …` (a literal, a list of literals, or
///   an expression of the attribute's type; implies `optional, computed`), `sensitive`, `write_only`,
///   `deprecated = "…"`, `replace`, `keep`, `name = "…"`, `optional_for_import`,
///   `validate(one_of("a", "b"), range(1..=5), length(1..=40), pattern("…"), cidr, arn, cron, with(path))`,
///   `conflicts("other", …)`, `exactly_one_of("a", "b")`, `required_with("other", …)`;
/// - `#[block]` or `#[block(computed, min = 1, max = 3, deprecated = "…", conflicts(…), …)]` for nested blocks;
/// - `#[flatten]` for a model whose attributes and blocks become those of this one.
#[proc_macro_derive(Model, attributes(attribute, block, flatten, model))]
pub fn model(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    model::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes an enum of unit variants an attribute type: text, each variant by its name in snake case, or as `#[choice("…")]`
/// says.
#[proc_macro_derive(Choice, attributes(choice))]
pub fn choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choice::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes a struct the parameters of a function, one per field, in order. `#[argument(variadic)]` on a last `Vec` field.
#[proc_macro_derive(Arguments, attributes(argument))]
pub fn arguments(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    arguments::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
