#!/bin/sh
# Deploys this release as the stack <environment>-metadata-export, or updates that stack to it. Needs the AWS CLI, with
# credentials and a region.
#
#   ./deploy.sh <environment> AlertEmail=<address> [Parameter=Value ...]   the first time
#   ./deploy.sh <environment> [Parameter=Value ...]                        later: what is not given stays as it is
#
# The files go to a bucket mwaa-metadata-export-<account>-<region>, made when it is not there, or to RELEASE_BUCKET.
# TAGS="CostCenter=4711,Owner=Platform Team" gives the stack, and all that is in it, these tags. Later too, what is not
# given stays as it is. STACK_NAME is another name for the stack. A first deployment that failed can just be repeated.
set -eu
if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; fi
environment=$1; shift
cd "$(dirname "$0")"
if command -v sha256sum >/dev/null; then sha256sum --check --quiet SHA256SUMS; else shasum -a 256 -c SHA256SUMS >/dev/null; fi
account=$(aws sts get-caller-identity --query Account --output text)
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$region" ] || { echo "No region is known: set AWS_REGION to that of the environment $environment." >&2; exit 2; }
export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
bucket=${RELEASE_BUCKET:-mwaa-metadata-export-$account-$region}
prefix=$(basename "$PWD")/
# Only a bucket of this account: somebody else might have made one of that name.
aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null 2>&1 || aws s3 mb "s3://$bucket"

# Names of stacks have no underscores, those of environments may.
stack=${STACK_NAME:-$(printf %s "$environment" | tr _ -)-metadata-export}
read -r status holder tags <<END
$(aws cloudformation describe-stacks --stack-name "$stack" --output text 2>/dev/null --query "Stacks[0].[StackStatus, \
  Parameters[?ParameterKey=='MwaaEnvironmentName'].ParameterValue | [0], join(',', Tags[].join('=', [Key, Value]))]" || true)
END
case "$status" in
  "" | REVIEW_IN_PROGRESS) ;; # nothing is deployed yet
  ROLLBACK_COMPLETE) # a first deployment that failed: nothing is in it, and it cannot be updated
    aws cloudformation delete-stack --stack-name "$stack"
    aws cloudformation wait stack-delete-complete --stack-name "$stack" ;;
  *) if [ "$holder" != "$environment" ]; then
    echo "The stack $stack is not of $environment, but of $holder: set STACK_NAME to another name." >&2; exit 2
  fi ;;
esac

# The deployment: copy the files to one prefix, and let the template read them there.
aws s3 sync . "s3://$bucket/$prefix" --only-show-errors
set -- --parameter-overrides "ReleaseBucket=$bucket" "ReleasePrefix=$prefix" "MwaaEnvironmentName=$environment" "$@"
# The CLI takes tags away that it is not given again. None has a comma in it. shellcheck disable=SC2086
if [ -n "${TAGS-$tags}" ]; then set -f; IFS=,; set -- "$@" --tags ${TAGS-$tags}; unset IFS; set +f; fi
aws cloudformation deploy --stack-name "$stack" --template-file template.json --s3-bucket "$bucket" \
  --s3-prefix "${prefix%/}" --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset "$@" || {
  # The end of a rollback is newest, and has two events for every resource. Of older ones the CLI prints a token.
  reasons=$(aws cloudformation describe-stack-events --stack-name "$stack" --output text --max-items 300 \
    --query "StackEvents[?ends_with(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" 2>/dev/null | sed '/^NEXTTOKEN/d')
  [ -z "$reasons" ] || printf '%s\n' "What failed in this stack, the newest first:" "$reasons" >&2
  exit 1
}
aws cloudformation describe-stacks --stack-name "$stack" --output text \
  --query "Stacks[0].Outputs[?OutputKey=='Version' || OutputKey=='AttachPolicyCommand'].[Description, OutputValue]"
