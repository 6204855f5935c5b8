//! Stands in for the kinds of what a part needs: so that only the kind that is tested calls AWS.

use std::marker::PhantomData;

use async_trait::async_trait;
use reconcile::failure::{Class, Failure};
use reconcile::kinds::Kinds;
use reconcile::part::{Ask, Call, Deleted, Difference, Kind, KindTraits, Made, Object, Part, Tags};

/// A kind whose objects are there and stay as they are.
struct StandIn<P> {
    traits: KindTraits,
    objects: Vec<Object>,
    part: PhantomData<fn() -> P>,
}

/// The kinds with one more, which stands in for that of parts `P`.
pub fn stand_in<P: Part>(kinds: Kinds, traits: KindTraits, objects: Vec<Object>) -> Kinds {
    let part = PhantomData;
    kinds.with(StandIn::<P> {
        traits,
        objects,
        part,
    })
}

impl<P> StandIn<P> {
    fn untouched<T>(&self) -> Result<T, Failure> {
        let doing = format!("changing {}", self.traits.title);
        Err(Failure::new(
            Class::Other,
            doing,
            "it is not what is tested and has to stay as it is",
        ))
    }
}

#[async_trait]
impl<P: Part> Kind for StandIn<P> {
    type Part = P;

    fn traits(&self) -> KindTraits {
        self.traits.clone()
    }

    async fn observe(&self, _: &Ask) -> Result<Vec<Object>, Failure> {
        Ok(self.objects.clone())
    }

    async fn create(&self, _: &P, _: &Call) -> Result<Made, Failure> {
        self.untouched()
    }

    async fn update(&self, _: &P, _: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        self.untouched()
    }

    async fn tag(&self, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        self.untouched()
    }

    async fn delete(&self, _: &Object, _: &Call) -> Result<Deleted, Failure> {
        self.untouched()
    }
}
