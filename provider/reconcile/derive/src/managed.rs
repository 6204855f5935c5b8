//! `#[derive(Managed)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

pub fn expand(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    quote! {
        impl ::reconcile::resource::Managed for #ident {
            fn common(&self) -> &::reconcile::resource::Common {
                &self.common
            }

            fn common_mut(&mut self) -> &mut ::reconcile::resource::Common {
                &mut self.common
            }

            fn name(&self) -> &::framework::Attr<::std::string::String> {
                &self.name
            }

            fn name_mut(&mut self) -> &mut ::framework::Attr<::std::string::String> {
                &mut self.name
            }

            fn timeouts(&self) -> &::framework::Attr<::framework::Timeouts> {
                &self.timeouts
            }
        }
    }
}
