# The metadata export of two MWAA environments in Terraform: the template of a release, unchanged, with your parameters.
#
# Unpack mwaa-metadata-export-0.2.0.zip here, then `terraform apply`. To update, unpack the next release, change `release`,
# and take away what that release says is removed: CloudFormation refuses a parameter that a template does not have.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "release" {
  description = "The folder of the release."
  type        = string
  default     = "mwaa-metadata-export-0.2.0"
}

variable "release_bucket" {
  description = "A bucket of yours for its files, in the region of the environments."
  type        = string
}

variable "environments" {
  description = "By the environment's name: its execution role, and parameters (docs/configure.md) beside those below."
  type = map(object({
    execution_role = string
    parameters     = optional(map(string), {})
  }))
  default = {
    orders  = { execution_role = "orders-mwaa-execution", parameters = { MaxAgeInDays = "90" } }
    billing = { execution_role = "billing-mwaa-execution" }
  }
}

locals {
  prefix = "${basename(var.release)}/"
}

data "aws_s3_bucket" "release" {
  bucket = var.release_bucket
}

resource "aws_s3_object" "release" {
  for_each    = fileset(var.release, "*")
  bucket      = var.release_bucket
  key         = "${local.prefix}${each.value}"
  source      = "${var.release}/${each.value}"
  source_hash = filesha256("${var.release}/${each.value}")
  lifecycle {
    create_before_destroy = true # the old ones stay until the stacks are updated: a rollback reads them
  }
}

resource "aws_cloudformation_stack" "metadata_export" {
  for_each     = var.environments
  name         = "${replace(each.key, "_", "-")}-metadata-export"
  template_url = "https://${data.aws_s3_bucket.release.bucket_regional_domain_name}/${local.prefix}template.json"
  capabilities = ["CAPABILITY_IAM"]
  parameters = merge({
    ReleaseBucket       = var.release_bucket
    ReleasePrefix       = local.prefix
    MwaaEnvironmentName = each.key
    AlertEmail          = "platform-team@example.com"
  }, each.value.parameters)
  tags       = { CostCenter = "4711" }
  depends_on = [aws_s3_object.release]
}

# What the DAG may do, attached to the role that the environment has.
resource "aws_iam_role_policy_attachment" "metadata_export" {
  for_each   = var.environments
  role       = each.value.execution_role
  policy_arn = aws_cloudformation_stack.metadata_export[each.key].outputs["MwaaExecutionPolicyArn"]
}
