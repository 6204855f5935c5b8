//! Launch templates: disks, metadata service, user data and tags of nodes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    self, LaunchTemplateBlockDeviceMapping, LaunchTemplateBlockDeviceMappingRequest as MappingRequest,
    LaunchTemplateEbsBlockDeviceRequest as DiskRequest, LaunchTemplateHttpTokensState as Tokens,
    LaunchTemplateInstanceMetadataEndpointState as Endpoint,
    LaunchTemplateInstanceMetadataOptionsRequest as MetadataRequest,
    LaunchTemplateTagSpecificationRequest as TagsRequest, RequestLaunchTemplateData, ResourceType,
    ResponseLaunchTemplateData, VolumeType,
};
use aws_smithy_types::base64;
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Tags, Text,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::list::{filters, tag_list, tags, tags_of_new};
use crate::kind::{
    ByFilter, Ec2, Filters, InVpc, Listed, find, no_answer, outputs, pages, seen, settled, usual,
};

/// A launch template. Its fields are those of its default version; a change makes a new version the default one, which is
/// its output `version` (a text). Versions before stay: EC2 keeps 10,000 (EC2 quotas).
///
/// Neither instance type nor image nor security groups are in it, so that an EKS node group chooses the first two, and EKS
/// adds its own group (EKS user guide, "Customize managed nodes with launch templates").
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "launch_template")]
pub struct LaunchTemplate {
    /// Its name, once in account and region: 3 to 128 of the characters `a-zA-Z0-9().-/_` (EC2 `CreateLaunchTemplate`).
    #[part(replace)]
    pub name: String,
    /// Disks by the name of their device.
    pub disks: BTreeMap<String, Disk>,
    /// Whether the metadata service wants a session token of every request.
    pub imdsv2_only: bool,
    /// Hops that answers of the metadata service may take, 1 to 64 (EC2 `InstanceMetadataOptionsRequest`): with one, containers
    /// with a network of their own do not reach it.
    pub hop_limit: i32,
    /// User data, plain: at most 16 KB (EC2 user guide, "Run commands when you launch an EC2 instance"). May hold outputs of
    /// other parts.
    pub user_data: Option<Text>,
    /// Tags of instances, volumes and network interfaces. The shared tags (the user's) go with them whenever a version is
    /// made, but their change alone makes none: it would replace all nodes.
    #[part(own_entries)]
    pub instance_tags: Tags,
    /// Tags of the template beside those of ownership.
    pub tags: Tags,
}

/// A disk of a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disk {
    /// Its size in GiB: at least the image's, `gp3` at most 65,536 (EC2 `EbsBlockDevice`).
    pub gib: i32,
    /// The type of volume: `gp3`.
    pub kind: String,
    /// Operations a second: `gp3` 3,000 to 80,000 (EC2 `EbsBlockDevice`). None: what the type has by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<i32>,
    /// MiB a second: `gp3` 125 to 2,000 (EC2 `EbsBlockDevice`). None: what the type has by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<i32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// ARN of the key. None: the account's default key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<Text>,
}

impl Disk {
    /// An encrypted `gp3` disk of this size.
    pub fn gp3(gib: i32) -> Self {
        Self {
            gib,
            kind: "gp3".to_owned(),
            iops: None,
            throughput: None,
            encrypted: true,
            kms_key: None,
        }
    }
}

/// A launch template with the contents of its default version and of its latest.
#[derive(Debug, Clone)]
pub struct Template {
    template: types::LaunchTemplate,
    default: Option<ResponseLaunchTemplateData>,
    latest: Option<ResponseLaunchTemplateData>,
}

const BY_ID: &str = "launch-template-id";
/// What instances bring along that can have tags.
const TAGGED: [ResourceType; 3] = [
    ResourceType::Instance,
    ResourceType::Volume,
    ResourceType::NetworkInterface,
];
const VERSION: &str = "version";

#[async_trait]
impl Listed for Template {
    const MANY: &'static str = "launch templates";
    const BY_ID: &'static str = BY_ID;

    fn id(&self) -> Option<&str> {
        self.template.launch_template_id()
    }

    fn all_tags(&self) -> Tags {
        tags(self.template.tags())
    }

    async fn list(ec2: &Ec2, by: Filters) -> Result<Vec<Self>, Failure> {
        // EC2 has no filter for ids, and one that is gone is an error for all that are asked for together.
        let templates = match by.iter().find(|(name, _)| name == BY_ID) {
            Some((_, ids)) => {
                let one = |id: &String| describe(ec2, Vec::new(), Some(id.clone()));
                try_join_all(ids.iter().map(one)).await?.concat()
            }
            None => describe(ec2, by, None).await?,
        };
        let whole = templates.into_iter().map(|template| with_versions(ec2, template));
        Ok(try_join_all(whole).await?.into_iter().flatten().collect())
    }
}

/// Those that the filters let through, or that of this id.
async fn describe(ec2: &Ec2, by: Filters, id: Option<String>) -> Result<Vec<types::LaunchTemplate>, Failure> {
    let by = filters(by);
    let found = pages(|next| async {
        let page = ec2.read.describe_launch_templates().set_filters(Some(by.clone()));
        let page = page.set_max_results(id.is_none().then_some(200));
        let page = page.set_launch_template_ids(id.clone().map(|id| vec![id]));
        let answer = ec2
            .call("ec2:DescribeLaunchTemplates", page.set_next_token(next).send())
            .await?;
        Ok((answer.launch_templates, answer.next_token))
    });
    or_none(found.await)
}

/// The template with its contents; none where it has gone meanwhile.
async fn with_versions(ec2: &Ec2, template: types::LaunchTemplate) -> Result<Option<Template>, Failure> {
    let describe = ec2
        .read
        .describe_launch_template_versions()
        .set_launch_template_id(template.launch_template_id.clone())
        .versions("$Default")
        .versions("$Latest");
    let versions = match ec2
        .call("ec2:DescribeLaunchTemplateVersions", describe.send())
        .await
    {
        Err(failure) if failure.class == Class::NotFound => return Ok(None),
        other => other?.launch_template_versions.unwrap_or_default(),
    };
    let of = |number: Option<i64>| {
        let mut versions = versions.iter();
        let version = versions.find(|version| version.version_number() == number);
        version.and_then(|version| version.launch_template_data.clone())
    };
    Ok(Some(Template {
        default: of(template.default_version_number()),
        latest: of(template.latest_version_number()),
        template,
    }))
}

/// Not there is none.
fn or_none<T>(result: Result<Vec<T>, Failure>) -> Result<Vec<T>, Failure> {
    match result {
        Err(failure) if failure.class == Class::NotFound => Ok(Vec::new()),
        other => other,
    }
}

#[async_trait]
impl ByFilter for LaunchTemplate {
    type Item = Template;

    const TRAITS: KindTraits = KindTraits {
        title: "launch template",
        deletion_order: 50,
        idempotence: Idempotence::NaturalKey,
        reads: &[
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeLaunchTemplateVersions",
        ],
        writes: &[
            "ec2:CreateLaunchTemplate",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:ModifyLaunchTemplate",
            "ec2:DeleteLaunchTemplate",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        ..usual(Self::KIND)
    };
    const IN_VPC: InVpc = InVpc::None;
    const SAME: &'static [&'static str] = &["name"];

    fn see(ec2: &Ec2, item: Template) -> Option<Object> {
        let template = &item.template;
        let mut fields = contents(item.default.as_ref());
        fields["name"] = json!(template.launch_template_name);
        let version = template.default_version_number().map(|number| number.to_string());
        let maker = template.created_by().and_then(|arn| arn.split(':').nth(4));
        Some(Object {
            arn: ec2.arn(maker, "launch-template", template.launch_template_id()),
            outputs: outputs([(VERSION, version)]),
            // What a killed change has left: the next one need not make it again.
            detail: json!({ "latest": template.latest_version_number, "fields": contents(item.latest.as_ref()) }),
            ..settled(fields)
        })
    }

    async fn find(ec2: &Ec2, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let mut found = find::<Template>(ec2, ask, Self::IN_VPC).await?;
        let declared = ask.declared.values().filter_map(|fields| fields["name"].as_str());
        let is_found = |name: &&str| {
            found
                .iter()
                .any(|item| item.template.launch_template_name() == Some(*name))
        };
        let others: Vec<String> = declared
            .filter(|name| !is_found(name))
            .map(str::to_owned)
            .collect();
        if !others.is_empty() {
            // A name that somebody else has is said before anything is made.
            found.extend(
                ec2.list::<Template>(vec![("launch-template-name".to_owned(), others)])
                    .await?,
            );
        }
        Ok(found
            .into_iter()
            .filter_map(|item| seen::<Self>(ec2, item))
            .collect())
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let tags = tags_of_new(ResourceType::LaunchTemplate, &call.tags(&self.tags));
        let make = ec2
            .write
            .create_launch_template()
            .launch_template_name(&self.name)
            .launch_template_data(self.data(call)?)
            .tag_specifications(tags);
        let answer = ec2.call("ec2:CreateLaunchTemplate", make.send()).await?;
        let template = answer.launch_template.ok_or_else(|| no_answer(call))?;
        let version = template.default_version_number.unwrap_or(1).to_string();
        let id = template.launch_template_id.ok_or_else(|| no_answer(call))?;
        Ok(Made::settled(id).output(VERSION, version))
    }

    async fn change(&self, ec2: &Ec2, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let has_latest = |what: &Difference| match what.field.as_str() {
            // Only the entries that are declared are compared.
            "instance_tags" => what
                .should
                .as_object()
                .into_iter()
                .flatten()
                .all(|(name, value)| is.detail["fields"]["instance_tags"].get(name) == Some(value)),
            field => is.detail["fields"].get(field) == Some(&what.should),
        };
        let latest = is.detail["latest"]
            .as_i64()
            .filter(|_| what.iter().all(has_latest));
        let version = match latest {
            Some(version) => version,
            None => {
                let make = ec2
                    .write
                    .create_launch_template_version()
                    .launch_template_id(&is.id);
                let make = make.launch_template_data(self.data(call)?).send();
                let answer = ec2.call("ec2:CreateLaunchTemplateVersion", make).await?;
                let made = answer
                    .launch_template_version
                    .and_then(|version| version.version_number);
                made.ok_or_else(|| no_answer(call))?
            }
        };
        let modify = ec2.write.modify_launch_template().launch_template_id(&is.id);
        let modify = modify.default_version(version.to_string()).send();
        ec2.call("ec2:ModifyLaunchTemplate", modify).await.map(|_| ())
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let delete = ec2.write.delete_launch_template().launch_template_id(&object.id);
        ec2.call("ec2:DeleteLaunchTemplate", delete.send()).await?;
        Ok(Deleted::Gone)
    }
}

impl LaunchTemplate {
    fn data(&self, call: &Call) -> Result<RequestLaunchTemplateData, Failure> {
        let mut disks = Vec::new();
        for (device, disk) in &self.disks {
            let key = disk.kms_key.as_ref().map(|key| call.text(key)).transpose()?;
            let ebs = DiskRequest::builder()
                .volume_size(disk.gib)
                .volume_type(VolumeType::from(disk.kind.as_str()))
                .set_iops(disk.iops)
                .set_throughput(disk.throughput)
                .encrypted(disk.encrypted)
                .set_kms_key_id(key)
                .delete_on_termination(true);
            disks.push(
                MappingRequest::builder()
                    .device_name(device)
                    .ebs(ebs.build())
                    .build(),
            );
        }
        let tokens = if self.imdsv2_only {
            Tokens::Required
        } else {
            Tokens::Optional
        };
        let metadata = MetadataRequest::builder()
            .http_endpoint(Endpoint::Enabled)
            .http_tokens(tokens)
            .http_put_response_hop_limit(self.hop_limit);
        let mut tags = call.shared.with(&self.instance_tags);
        // What is declared is compared: nothing takes its place.
        tags.extend(self.instance_tags.clone());
        let tags = tag_list(&tags);
        let of_what = |kind| {
            TagsRequest::builder()
                .resource_type(kind)
                .set_tags(Some(tags.clone()))
                .build()
        };
        // EC2 refuses a specification without tags.
        let tagged = (!tags.is_empty()).then(|| TAGGED.map(of_what).to_vec());
        let user_data = self.user_data.as_ref().map(|text| call.text(text)).transpose()?;
        Ok(RequestLaunchTemplateData::builder()
            .set_block_device_mappings(Some(disks))
            .metadata_options(metadata.build())
            .set_tag_specifications(tagged)
            .set_user_data(user_data.map(base64::encode))
            .build())
    }
}

/// The fields that the contents of a version have.
fn contents(data: Option<&ResponseLaunchTemplateData>) -> Value {
    let disks = data.into_iter().flat_map(|data| data.block_device_mappings());
    let disks: BTreeMap<&str, Disk> = disks.filter_map(disk).collect();
    let metadata = data.and_then(|data| data.metadata_options());
    let user_data = data.and_then(|data| data.user_data());
    json!({
        "disks": disks,
        "imdsv2_only": metadata.and_then(|options| options.http_tokens()) == Some(&Tokens::Required),
        "hop_limit": metadata.and_then(|options| options.http_put_response_hop_limit()),
        "user_data": user_data.map(decoded),
        "instance_tags": data.map(instance_tags).unwrap_or_default(),
    })
}

fn disk(mapping: &LaunchTemplateBlockDeviceMapping) -> Option<(&str, Disk)> {
    let ebs = mapping.ebs()?;
    let disk = Disk {
        gib: ebs.volume_size().unwrap_or_default(),
        kind: ebs
            .volume_type()
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        iops: ebs.iops(),
        throughput: ebs.throughput(),
        encrypted: ebs.encrypted().unwrap_or_default(),
        kms_key: ebs.kms_key_id().map(Text::from),
    };
    Some((mapping.device_name().unwrap_or_default(), disk))
}

/// The tags that all have: instances, volumes and interfaces.
fn instance_tags(data: &ResponseLaunchTemplateData) -> Tags {
    let of = |kind: &ResourceType| {
        let mut all = data.tag_specifications().iter();
        let found = all.find(|tags| tags.resource_type() == Some(kind));
        found.map(|found| tags(found.tags())).unwrap_or_default()
    };
    let [first, others @ ..] = TAGGED.map(|kind| of(&kind));
    let has_all = |(key, value): &(String, String)| others.iter().all(|tags| tags.get(key) == Some(value));
    first.into_iter().filter(has_all).collect()
}

/// User data that is no text stays as EC2 gives it.
fn decoded(data: &str) -> String {
    let bytes = base64::decode(data).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.unwrap_or_else(|| data.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::LaunchTemplateTagSpecification;

    use super::*;

    #[test]
    fn a_tag_counts_where_instances_volumes_and_interfaces_have_it() {
        let tags = |kind, names: &[&str]| {
            let tags = names
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect();
            LaunchTemplateTagSpecification::builder()
                .resource_type(kind)
                .set_tags(Some(tag_list(&tags)))
                .build()
        };
        let data = ResponseLaunchTemplateData::builder()
            .tag_specifications(tags(ResourceType::Instance, &["a", "b"]))
            .tag_specifications(tags(ResourceType::Volume, &["a", "b"]))
            .tag_specifications(tags(ResourceType::NetworkInterface, &["b", "c"]))
            .build();
        assert_eq!(instance_tags(&data).into_keys().collect::<Vec<_>>(), ["b"]);
    }
}
