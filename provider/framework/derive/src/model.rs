//! `#[derive(Model)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parse;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Expr, ExprLit, Field, Lit, LitStr, RangeLimits, Token};

use crate::input::{doc, name, named_fields};

/// How a field takes part.
enum Part {
    Attribute,
    Block,
    Flatten,
}

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut errors: Option<syn::Error> = None;
    let mut schemas = Vec::new();
    let (mut takes, mut fills, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for field in named_fields(input)? {
        match read_field(field) {
            Ok((part, title, hidden, schema)) => {
                let (ident, ty) = (&field.ident, &field.ty);
                schemas.push(schema);
                takes.push(match part {
                    Part::Flatten => quote!(let #ident = fields.flatten::<#ty>();),
                    Part::Attribute if hidden => quote!(let #ident = fields.take_hidden::<#ty>(#title);),
                    _ => quote!(let #ident = fields.take::<#ty>(#title);),
                });
                fills.push(quote!(#ident: #ident.ok_or(::framework::DecodeError::Unknown)?));
                writes.push(match part {
                    Part::Attribute => {
                        quote!(object.insert(::std::borrow::ToOwned::to_owned(#title), ::framework::AttributeType::encode(&self.#ident));)
                    }
                    Part::Block => {
                        quote!(object.insert(::std::borrow::ToOwned::to_owned(#title), ::framework::model::encode_block(&self.#ident));)
                    }
                    Part::Flatten => {
                        quote!(::framework::model::merge_objects(&mut object, ::framework::AttributeType::encode(&self.#ident));)
                    }
                });
            }
            Err(error) => match &mut errors {
                Some(all) => all.combine(error),
                None => errors = Some(error),
            },
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    let deprecated = deprecated(input)?;
    let (ident, description) = (&input.ident, doc(&input.attrs));
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::framework::Model for #ident #arguments #bounds {
            fn block() -> ::framework::schema::Block {
                let mut block = ::framework::schema::Block {
                    description: ::std::borrow::ToOwned::to_owned(#description),
                    deprecated: #deprecated,
                    ..::std::default::Default::default()
                };
                #(#schemas)*
                block
            }
        }

        impl #generics ::framework::AttributeType for #ident #arguments #bounds {
            fn shape() -> ::framework::schema::Shape {
                ::framework::schema::Shape::Nested(
                    ::framework::schema::Nesting::Single,
                    ::std::boxed::Box::new(<Self as ::framework::Model>::block()),
                )
            }

            fn decode(value: &::framework::Value, at: &::framework::Path) -> ::std::result::Result<Self, ::framework::DecodeError> {
                let mut fields = ::framework::model::Fields::new(value, at)?;
                #(#takes)*
                fields.finish()?;
                ::std::result::Result::Ok(Self { #(#fills),* })
            }

            fn encode(&self) -> ::framework::Value {
                let mut object = ::std::collections::BTreeMap::new();
                #(#writes)*
                ::framework::Value::Object(object.into())
            }
        }
    })
}

/// Why the whole is not to be used any more: `#[model(deprecated = "…")]`.
fn deprecated(input: &DeriveInput) -> syn::Result<TokenStream> {
    let mut out = quote!(::std::option::Option::None);
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("model")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("deprecated") {
                return Err(meta.error("`deprecated = \"…\"` is expected"));
            }
            let text = meta.value()?.parse::<LitStr>()?;
            out = quote!(::std::option::Option::Some(::std::borrow::ToOwned::to_owned(#text)));
            Ok(())
        })?;
    }
    Ok(out)
}

/// The part, the name, whether its value is secret, and the statements that add the field to the schema.
fn read_field(field: &Field) -> syn::Result<(Part, String, bool, TokenStream)> {
    let ty = &field.ty;
    let text = doc(&field.attrs);
    let mut title = name(field);
    let mut part = None;
    let mut settings = Vec::new();
    let mut hidden = false;
    for attribute in &field.attrs {
        let kind = match attribute.path().get_ident().map(ToString::to_string).as_deref() {
            Some("attribute") => Part::Attribute,
            Some("block") => Part::Block,
            Some("flatten") => Part::Flatten,
            _ => continue,
        };
        if part.is_some() {
            return Err(syn::Error::new_spanned(
                attribute,
                "one of `attribute`, `block` and `flatten`, once",
            ));
        }
        if attribute.meta.require_path_only().is_err() {
            attribute.parse_nested_meta(|meta| match kind {
                Part::Attribute => {
                    hidden |= meta.path.is_ident("sensitive") || meta.path.is_ident("write_only");
                    attribute_setting(&meta, field, &mut title, &mut settings)
                }
                Part::Block => block_setting(&meta, &mut settings),
                Part::Flatten => Err(meta.error("`flatten` has no settings")),
            })?;
        }
        part = Some(kind);
    }
    let part = part.ok_or_else(|| {
        syn::Error::new_spanned(field, "`#[attribute(…)]`, `#[block]` or `#[flatten]` is missing")
    })?;
    if text.is_empty() && !matches!(part, Part::Flatten) {
        return Err(syn::Error::new_spanned(
            field,
            "a doc comment is missing: it is the attribute's documentation",
        ));
    }
    let schema = match part {
        Part::Attribute => quote! {{
            let mut attribute = ::framework::schema::Attribute::of::<#ty>(#title, #text);
            #(#settings)*
            block.attributes.push(attribute);
        }},
        Part::Block => quote! {{
            let mut attribute = ::framework::schema::NestedBlock::of::<#ty>(#title, #text);
            #(#settings)*
            block.blocks.push(attribute);
        }},
        Part::Flatten => quote!(block.merge(<#ty as ::framework::Model>::block());),
    };
    Ok((part, title, hidden, schema))
}

fn attribute_setting(
    meta: &ParseNestedMeta<'_>,
    field: &Field,
    title: &mut String,
    settings: &mut Vec<TokenStream>,
) -> syn::Result<()> {
    let ty = &field.ty;
    let key = meta.path.require_ident()?.to_string();
    match key.as_str() {
        "required"
        | "optional"
        | "computed"
        | "sensitive"
        | "write_only"
        | "replace"
        | "keep"
        | "optional_for_import" => {
            let flag = meta.path.require_ident()?;
            settings.push(quote!(attribute.#flag = true;));
        }
        "name" => *title = meta.value()?.parse::<LitStr>()?.value(),
        "deprecated" => {
            let text = meta.value()?.parse::<LitStr>()?;
            settings.push(quote!(attribute.deprecated = ::std::option::Option::Some(::std::borrow::ToOwned::to_owned(#text));));
        }
        "default" => {
            let value = default_value(&meta.value()?.parse::<Expr>()?, ty);
            settings.push(quote! {
                attribute.optional = true;
                attribute.computed = true;
                attribute.set_default(#value);
            });
        }
        "validate" => meta.parse_nested_meta(|check| {
            let validator = validator(&check, ty)?;
            settings.push(quote!(attribute.validators.push(#validator);));
            Ok(())
        })?,
        _ => return relation(meta, &key, settings),
    }
    Ok(())
}

fn block_setting(meta: &ParseNestedMeta<'_>, settings: &mut Vec<TokenStream>) -> syn::Result<()> {
    let key = meta.path.require_ident()?.to_string();
    match key.as_str() {
        "min" | "max" => {
            let bound = meta.path.require_ident()?;
            let number = meta.value()?.parse::<syn::LitInt>()?;
            settings.push(quote!(attribute.#bound = #number;));
            Ok(())
        }
        "computed" => {
            settings.push(quote!(attribute.computed = true;));
            Ok(())
        }
        "deprecated" => {
            let text = meta.value()?.parse::<LitStr>()?;
            settings.push(quote!(attribute.block.deprecated = ::std::option::Option::Some(::std::borrow::ToOwned::to_owned(#text));));
            Ok(())
        }
        _ => relation(meta, &key, settings),
    }
}

fn relation(meta: &ParseNestedMeta<'_>, key: &str, settings: &mut Vec<TokenStream>) -> syn::Result<()> {
    if !["conflicts", "exactly_one_of", "required_with"].contains(&key) {
        return Err(meta.error(format!("`{key}` is no setting")));
    }
    let names = list::<LitStr>(meta)?;
    match key {
        "conflicts" => settings.extend(names.iter().map(|name| {
            quote!(attribute.relations.push(::framework::validate::Relation::Conflicts(::std::borrow::ToOwned::to_owned(#name)));)
        })),
        "required_with" => settings.extend(names.iter().map(|name| {
            quote!(attribute.relations.push(::framework::validate::Relation::RequiredWith(::std::borrow::ToOwned::to_owned(#name)));)
        })),
        _ => settings.push(quote! {
            attribute.relations.push(::framework::validate::Relation::ExactlyOneOf(
                ::std::vec![#(::std::borrow::ToOwned::to_owned(#names)),*],
            ));
        }),
    }
    Ok(())
}

fn validator(check: &ParseNestedMeta<'_>, ty: &syn::Type) -> syn::Result<TokenStream> {
    let key = check.path.require_ident()?;
    let validator = quote!(::framework::validate::Validator);
    match key.to_string().as_str() {
        "cidr" | "arn" | "cron" => Ok(quote!(#validator::#key())),
        "one_of" => {
            let choices = list::<LitStr>(check)?;
            Ok(quote!(#validator::one_of(&[#(#choices),*])))
        }
        "pattern" => {
            let pattern = one::<LitStr>(check)?;
            Ok(quote!(#validator::pattern(#pattern)))
        }
        "range" | "length" => {
            let expression = one::<Expr>(check)?;
            let Expr::Range(range) = &expression else {
                return Err(syn::Error::new_spanned(
                    expression,
                    "a range such as `1..=5` is expected",
                ));
            };
            if matches!((&range.limits, &range.end), (RangeLimits::HalfOpen(_), Some(_))) {
                return Err(syn::Error::new_spanned(
                    range,
                    "both bounds are included: write `..=`",
                ));
            }
            let bound = |bound: &Option<Box<Expr>>| match bound {
                Some(bound) => quote!(::std::option::Option::Some(#bound)),
                None => quote!(::std::option::Option::None),
            };
            let (start, end) = (bound(&range.start), bound(&range.end));
            Ok(quote!(#validator::#key(#start, #end)))
        }
        "with" => {
            let function = one::<syn::Path>(check)?;
            let inner = known_type(ty);
            Ok(quote!(#validator::with::<#inner>(|value| #function(value))))
        }
        other => Err(check.error(format!("`{other}` is no validator"))),
    }
}

/// The `T` of `Attr<T>`; other types as they are.
fn known_type(ty: &syn::Type) -> &syn::Type {
    if let syn::Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && last.ident == "Attr"
        && let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
    {
        return inner;
    }
    ty
}

/// Literals become values, everything else is an expression of the attribute's type.
fn default_value(expression: &Expr, ty: &syn::Type) -> TokenStream {
    if let Some(value) = literal(expression) {
        return value;
    }
    let inner = known_type(ty);
    quote!({
        let value: #inner = #expression;
        ::framework::AttributeType::encode(&value)
    })
}

fn literal(expression: &Expr) -> Option<TokenStream> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(quote!(::framework::Value::string(#text))),
        Expr::Lit(ExprLit {
            lit: Lit::Bool(value),
            ..
        }) => Some(quote!(::framework::Value::Bool(#value))),
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => Some(quote!(::framework::Value::from(#number as i64))),
        Expr::Unary(syn::ExprUnary {
            op: syn::UnOp::Neg(_),
            expr,
            ..
        }) => match &**expr {
            Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            }) => Some(quote!(::framework::Value::from(-(#number as i64)))),
            _ => None,
        },
        Expr::Array(array) => {
            let elements: Option<Vec<_>> = array.elems.iter().map(literal).collect();
            elements.map(|elements| quote!(::framework::Value::List(::std::vec![#(#elements),*].into())))
        }
        _ => None,
    }
}

fn list<T: Parse>(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<T>> {
    let content;
    syn::parenthesized!(content in meta.input);
    Ok(
        Punctuated::<T, Token![,]>::parse_terminated_with(&content, T::parse)?
            .into_iter()
            .collect(),
    )
}

fn one<T: Parse>(meta: &ParseNestedMeta<'_>) -> syn::Result<T> {
    let mut all = list::<T>(meta)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(syn::Error::new(
            Span::call_site(),
            "exactly one argument is expected",
        )),
    }
}
