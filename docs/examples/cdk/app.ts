// The metadata export of two MWAA environments in a CDK app: the template of a release, unchanged, with your parameters.
//
// First copy the release to a bucket of yours in the region of the environments, once for each version:
//   aws s3 sync mwaa-metadata-export-0.2.0 s3://company-releases/mwaa-metadata-export-0.2.0/
// Then `cdk deploy --all --no-previous-parameters`: without that option the CDK keeps the parameters of before. To update,
// copy the next release and change `release`.
import { App, Stack, Tags } from "aws-cdk-lib";
import { CfnManagedPolicy } from "aws-cdk-lib/aws-iam";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";

const release = process.env.RELEASE ?? "mwaa-metadata-export-0.2.0"; // the folder on this machine
const bucket = process.env.RELEASE_BUCKET ?? "company-releases";

// By environment: its execution role, and parameters (docs/configure.md) beside those that every stack has.
const environments: Record<string, { executionRole: string; parameters?: Record<string, unknown> }> = {
  orders: { executionRole: "orders-mwaa-execution", parameters: { MaxAgeInDays: "90" } },
  billing: { executionRole: "billing-mwaa-execution" },
};

const app = new App();
for (const [environment, { executionRole, parameters }] of Object.entries(environments)) {
  const stack = new Stack(app, `${environment.replaceAll("_", "-")}-metadata-export`);
  const included = new CfnInclude(stack, "Export", { templateFile: `${release}/template.json` });
  const given = {
    ReleaseBucket: bucket,
    ReleasePrefix: `${release.split("/").pop()}/`,
    MwaaEnvironmentName: environment,
    AlertEmail: "platform-team@example.com",
    ...parameters,
  };
  // As their defaults. What CfnInclude calls `parameters` would take them out of the template, and the command line reads
  // there what the stack exports.
  for (const [name, value] of Object.entries(given)) {
    included.getParameter(name).default = value;
  }
  // What the DAG may do, attached to the role that the environment has.
  (included.getResource("MwaaExecutionPolicy") as CfnManagedPolicy).roles = [executionRole];
  Tags.of(stack).add("CostCenter", "4711");
}
app.synth();
