"""SNS refuses what SNS refuses."""

import pytest
from botocore.exceptions import ClientError

from tests.emulated_account import Account


@pytest.mark.on_aws
@pytest.mark.parametrize(
    ("subject", "message"),
    [("x" * 100, "m"), ("two\nlines", "m"), ("bell\x07", "m"), ("s", ""), ("s", "m" * (256 * 1024 + 1))],
    ids=["long subject", "line break", "control character", "empty message", "long message"],
)
def test_given_invalid_message_when_published_then_refused(account: Account, subject: str, message: str) -> None:
    topic = account.topic()

    with pytest.raises(ClientError, match="InvalidParameter"):
        account.client("sns").publish(TopicArn=topic, Subject=subject, Message=message)


def test_given_email_address_when_subscribed_then_it_is_a_subscription(account: Account) -> None:
    sns = account.client("sns")
    topic = sns.create_topic(Name="with-email")["TopicArn"]

    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.com")

    [found] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (found["Protocol"], found["Endpoint"]) == ("email", "somebody@example.com")
