//! `#[derive(Choice)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr};

use crate::input::snake_case;

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "an enum is expected"));
    };
    let mut variants = Vec::new();
    let mut texts = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(
                variant,
                "a variant without fields is expected",
            ));
        }
        let mut text = snake_case(&variant.ident.to_string());
        for attribute in variant.attrs.iter().filter(|a| a.path().is_ident("choice")) {
            text = attribute.parse_args::<LitStr>()?.value();
        }
        variants.push(&variant.ident);
        texts.push(text);
    }
    let name = &input.ident;
    let listed = texts
        .iter()
        .map(|text| format!("`{text}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let complaint = format!("Must be one of {listed}, got ");
    Ok(quote! {
        impl #name {
            /// All values as texts.
            pub const CHOICES: &'static [&'static str] = &[#(#texts),*];

            /// The value as users write it.
            pub fn as_str(self) -> &'static str {
                match self { #(Self::#variants => #texts),* }
            }
        }

        impl ::std::fmt::Display for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str((*self).as_str())
            }
        }

        impl ::framework::AttributeType for #name {
            fn shape() -> ::framework::schema::Shape {
                ::framework::schema::Shape::Plain(::framework::Type::String)
            }

            fn choices() -> &'static [&'static str] {
                Self::CHOICES
            }

            fn decode(value: &::framework::Value, at: &::framework::Path) -> ::std::result::Result<Self, ::framework::DecodeError> {
                let text = <::std::string::String as ::framework::AttributeType>::decode(value, at)?;
                match text.as_str() {
                    #(#texts => ::std::result::Result::Ok(Self::#variants),)*
                    _ => ::std::result::Result::Err(::framework::DecodeError::invalid(at, ::std::format!("{}`{text}`.", #complaint))),
                }
            }

            fn encode(&self) -> ::framework::Value {
                ::framework::Value::string((*self).as_str())
            }
        }
    })
}
