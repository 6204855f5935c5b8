//! The function `provider::ekb::kubeconfig`.

use framework::{Arguments, Function, FunctionError};
use serde_json::{Value, json};

/// A kubeconfig without a secret in it.
pub struct KubeconfigFunction;

/// The arguments of `kubeconfig`.
#[derive(Arguments)]
pub struct KubeconfigArguments {
    /// Name of the cluster.
    pub name: String,
    /// Address of its API.
    pub endpoint: String,
    /// Certificates of the authority that signed the API's own, in PEM or base64 of it.
    pub certificate_authority: String,
    /// AWS region of the cluster.
    pub region: String,
    /// ARN of a role to assume for it; null: none.
    pub role_arn: Option<String>,
    /// Profile of the AWS CLI; null: its default.
    pub profile: Option<String>,
}

impl Function for KubeconfigFunction {
    type Arguments = KubeconfigArguments;
    type Return = String;

    const NAME: &'static str = "kubeconfig";
    const SUMMARY: &'static str = "Kubeconfig of an EKS cluster, without a secret";
    const DESCRIPTION: &'static str = "A kubeconfig for `kubectl`, `helm` and others. It holds no token: whoever uses it asks \
        the AWS CLI (`aws eks get-token`) for one, with their own credentials. It is JSON, which is YAML too.";

    fn call(&self, arguments: KubeconfigArguments) -> Result<String, FunctionError> {
        let KubeconfigArguments {
            name,
            endpoint,
            certificate_authority,
            region,
            role_arn,
            profile,
        } = arguments;
        if name.is_empty() {
            return Err(FunctionError::of_argument(0, "the cluster's name is empty."));
        }
        if !endpoint.starts_with("https://") {
            return Err(FunctionError::of_argument(
                1,
                "the endpoint begins with https://.",
            ));
        }
        let authority = kubernetes::authority_in_base64(&certificate_authority)
            .map_err(|error| FunctionError::of_argument(2, format!("{error}.")))?;
        let mut args = vec![
            "eks",
            "get-token",
            "--output",
            "json",
            "--region",
            &region,
            "--cluster-name",
            &name,
        ];
        if let Some(role) = &role_arn {
            args.extend(["--role-arn", role]);
        }
        let mut exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "aws",
            "args": args,
            "interactiveMode": "IfAvailable",
            "installHint": "Install the AWS CLI, version 2: https://aws.amazon.com/cli",
        });
        if let Some(profile) = &profile {
            exec["env"] = json!([{"name": "AWS_PROFILE", "value": profile}]);
        }
        let config: Value = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"exec": exec}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        });
        Ok(format!("{config:#}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> KubeconfigArguments {
        KubeconfigArguments {
            name: "dev-main".into(),
            endpoint: "https://abc.gr7.eu-central-1.eks.amazonaws.com".into(),
            certificate_authority: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n".into(),
            region: "eu-central-1".into(),
            role_arn: Some("arn:aws:iam::1:role/x".into()),
            profile: Some("dev".into()),
        }
    }

    #[test]
    fn it_asks_the_aws_cli_and_holds_no_secret() {
        let text = KubeconfigFunction.call(arguments()).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let user = &config["users"][0]["user"];
        let args = "eks get-token --output json --region eu-central-1 --cluster-name dev-main --role-arn arn:aws:iam::1:role/x";
        assert_eq!(user["exec"]["args"], json!(args.split(' ').collect::<Vec<_>>()));
        assert_eq!(
            user["exec"]["env"],
            json!([{"name": "AWS_PROFILE", "value": "dev"}])
        );
        assert_eq!(user.as_object().unwrap().len(), 1, "nothing but exec: {user}");
        let authority = &config["clusters"][0]["cluster"]["certificate-authority-data"];
        assert_eq!(
            authority,
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
        );
    }

    #[test]
    fn what_cannot_be_used_is_an_error_of_its_argument() {
        let call = |change: fn(&mut KubeconfigArguments)| {
            let mut given = arguments();
            change(&mut given);
            KubeconfigFunction.call(given).unwrap_err().argument
        };
        assert_eq!(call(|given| given.endpoint = "http://x".into()), Some(1));
        assert_eq!(call(|given| given.certificate_authority = "no".into()), Some(2));
    }
}
