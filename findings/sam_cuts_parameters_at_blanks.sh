#!/usr/bin/env bash
# `sam deploy --parameter-overrides "Schedule=rate(12 hours)"`, one argument of the shell, deploys `rate(12`: the SAM CLI
# 1.170.0 takes every argument apart once more, drops what follows the blank without a word, and --save-params keeps the cut
# value. The value needs quotes of its own inside the argument.
set -euo pipefail
folder=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT TERM
. "$(dirname "$0")/setup.bash"
install_python aws-sam-cli==1.170.0
cd "$folder"
cat >template.yaml <<'YAML'
Parameters:
  Schedule: {Type: String}
  Name: {Type: String}
Resources:
  Nothing: {Type: AWS::CloudFormation::WaitConditionHandle}
YAML
touch saved.toml
export SAM_CLI_TELEMETRY=0 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_MAX_ATTEMPTS=1
export AWS_ENDPOINT_URL=http://127.0.0.1:9 # nobody answers: what would be deployed is printed before that

deploy() { # prints the parameters that it would deploy
  "$folder/venv/bin/sam" deploy --config-file saved.toml --save-params --template-file template.yaml --stack-name s --region eu-west-1 \
    --s3-bucket b --no-confirm-changeset --parameter-overrides "$@" 2>&1 | sed -n "s/.*Parameter overrides *: //p" || true # it ends with an error, as nobody answers
}
cut=$(deploy "Schedule=rate(12 hours)" "Name=orders")
saved=$(sed -n 's/^Schedule = //p' saved.toml)
whole=$(deploy 'Schedule="rate(12 hours)"' "Name=orders")
echo "one argument: $cut, saved: $saved"
echo "quotes inside it: $whole"
test "$cut" = '{"Schedule": "rate(12", "Name": "orders"}'
test "$saved" = '"rate(12"'
test "$whole" = '{"Schedule": "rate(12 hours)", "Name": "orders"}'
