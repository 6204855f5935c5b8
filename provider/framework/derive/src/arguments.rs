//! `#[derive(Arguments)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, GenericArgument, PathArguments, Type};

use crate::input::{doc, name, named_fields};

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(input)?;
    let mut parameters = Vec::new();
    let mut variadic = quote!(::std::option::Option::None);
    let mut reads = Vec::new();
    let mut last = None;
    for (index, field) in fields.iter().enumerate() {
        let (ident, ty, text, title) = (&field.ident, &field.ty, doc(&field.attrs), name(field));
        let mut is_variadic = false;
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("argument")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("variadic") {
                    is_variadic = true;
                    return Ok(());
                }
                Err(meta.error("`variadic` is expected"))
            })?;
        }
        if let Some(previous) = last {
            return Err(syn::Error::new_spanned(
                previous,
                "a variadic parameter must be the last",
            ));
        }
        if is_variadic {
            last = Some(field);
            let element = element_of(ty)
                .ok_or_else(|| syn::Error::new_spanned(ty, "a variadic parameter is a `Vec`"))?;
            variadic = quote!(::std::option::Option::Some(::framework::function::Parameter::of::<#element>(#title, #text)));
            reads.push(quote! {
                #ident: (#index..values.len())
                    .map(|i| ::framework::function::decode_argument::<#element>(values, i))
                    .collect::<::std::result::Result<_, _>>()?
            });
        } else {
            parameters.push(quote!(::framework::function::Parameter::of::<#ty>(#title, #text)));
            reads.push(quote!(#ident: ::framework::function::decode_argument::<#ty>(values, #index)?));
        }
    }
    let name = &input.ident;
    Ok(quote! {
        impl ::framework::function::Arguments for #name {
            fn parameters() -> ::std::vec::Vec<::framework::function::Parameter> {
                ::std::vec![#(#parameters),*]
            }

            fn variadic() -> ::std::option::Option<::framework::function::Parameter> {
                #variadic
            }

            fn decode(values: &[::framework::Value]) -> ::std::result::Result<Self, ::framework::function::FunctionError> {
                ::std::result::Result::Ok(Self { #(#reads),* })
            }
        }
    })
}

fn element_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|s| s.ident == "Vec")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|a| {
        if let GenericArgument::Type(ty) = a {
            Some(ty)
        } else {
            None
        }
    })
}
