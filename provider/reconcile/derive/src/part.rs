//! `#[derive(Part)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Data, DeriveInput, Expr, Field, Fields, LitStr};

/// What a field's attributes say.
#[derive(Default)]
struct Settings {
    rule: Option<TokenStream>,
    remedy: Option<TokenStream>,
    change: Option<Expr>,
    is_later: bool,
}

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "a struct is expected"));
    };
    let kind = kind(input)?;
    let fields = match &data.fields {
        Fields::Named(named) => named.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => return Err(syn::Error::new_spanned(input, "fields need names")),
    };
    let (mut rules, mut remedies, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let mut later = Vec::new();
    let mut errors: Option<syn::Error> = None;
    for field in fields {
        match settings(field) {
            Ok((name, settings)) => {
                later.extend(settings.is_later.then(|| name.clone()));
                rules.extend(settings.rule.map(|rule| quote!(#name => #rule,)));
                remedies.extend(settings.remedy.map(|remedy| quote!(#name => #remedy,)));
                changes.extend(
                    settings
                        .change
                        .map(|change| quote!(#name => (#change)(is, should),)),
                );
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
    let later = (!later.is_empty()).then(|| {
        quote! {
            fn is_later(field: &str) -> bool {
                [#(#later),*].contains(&field)
            }
        }
    });
    let change = (!changes.is_empty()).then(|| {
        quote! {
            fn change(field: &str, is: &::serde_json::Value, should: &::serde_json::Value) -> ::reconcile::part::Remedy {
                match field {
                    #(#changes)*
                    _ => Self::remedy(field),
                }
            }
        }
    });
    let ident = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::reconcile::part::Part for #ident #arguments #bounds {
            const KIND: &'static str = #kind;

            fn rule(field: &str) -> ::reconcile::part::FieldRule {
                match field {
                    #(#rules)*
                    _ => ::reconcile::part::FieldRule::Exact,
                }
            }

            fn remedy(field: &str) -> ::reconcile::part::Remedy {
                match field {
                    #(#remedies)*
                    _ => ::reconcile::part::Remedy::Update,
                }
            }

            #change

            #later
        }
    })
}

/// The name in `#[part(kind = "…")]`, or what gives it.
fn kind(input: &DeriveInput) -> syn::Result<Expr> {
    let mut kind = None;
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("part")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("kind") {
                return Err(meta.error("`kind = \"…\"` is expected"));
            }
            kind = Some(meta.value()?.parse::<Expr>()?);
            Ok(())
        })?;
    }
    kind.ok_or_else(|| syn::Error::new_spanned(&input.ident, "`#[part(kind = \"…\")]` is missing"))
}

/// The field's name as it serialises, and what is said of it.
fn settings(field: &Field) -> syn::Result<(String, Settings)> {
    let mut name = field
        .ident
        .as_ref()
        .map(|ident| ident.unraw().to_string())
        .unwrap_or_default();
    let mut settings = Settings::default();
    for attribute in &field.attrs {
        if attribute.path().is_ident("serde") {
            // Of serde's settings only a new name matters here; the others are passed over with their values.
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    name = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.input.peek(syn::Token![=]) {
                    meta.value()?.parse::<syn::Expr>()?;
                }
                Ok(())
            })?;
        } else if attribute.path().is_ident("part") {
            attribute.parse_nested_meta(|meta| setting(&meta, &mut settings))?;
        }
    }
    if name == "tags" && (settings.rule.is_some() || settings.remedy.is_some() || settings.change.is_some()) {
        return Err(syn::Error::new_spanned(
            field,
            "`tags` are always compared by entry and mended in place",
        ));
    }
    Ok((name, settings))
}

fn setting(meta: &ParseNestedMeta<'_>, settings: &mut Settings) -> syn::Result<()> {
    let rule = |name: &str| {
        let name = syn::Ident::new(name, proc_macro2::Span::call_site());
        quote!(::reconcile::part::FieldRule::#name)
    };
    let once = |taken: &Option<TokenStream>| {
        if taken.is_some() {
            Err(meta.error("said twice"))
        } else {
            Ok(())
        }
    };
    match meta.path.require_ident()?.to_string().as_str() {
        word @ ("unordered" | "own_entries" | "not_compared" | "as_applied") => {
            once(&settings.rule)?;
            settings.rule = Some(rule(match word {
                "unordered" => "Unordered",
                "own_entries" => "OwnEntries",
                "not_compared" => "NotCompared",
                _ => "AsApplied",
            }));
        }
        "replace" => {
            once(&settings.remedy)?;
            settings.remedy = Some(quote!(::reconcile::part::Remedy::Replace));
        }
        "later" => settings.is_later = true,
        "change" => {
            if settings.change.is_some() {
                return Err(meta.error("said twice"));
            }
            settings.change = Some(meta.value()?.parse()?);
        }
        _ => {
            return Err(meta.error(
                "one of `unordered`, `own_entries`, `not_compared`, `as_applied`, `replace`, `later` and `change = …` is expected",
            ));
        }
    }
    Ok(())
}
