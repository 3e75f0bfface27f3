"""EC2: VPC endpoints keep what describes them, and are found by filter; network interfaces keep their tags.

AWS documented: the filters of DescribeVpcEndpoints, and what it tells of an endpoint.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html

AWS documented: a subnet that does not exist is InvalidSubnetID.NotFound.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html

AWS documented: a network interface is made with the tags that the request has for it.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html

AWS assumed: an interface endpoint whose request says nothing of private DNS has it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import ec2

from local.aws.patches.replace import attribute, wrap, wrap_entry
from local.aws.settings import Settings

FILTERS = {
    "vpc-id": "VpcId",
    "service-name": "ServiceName",
    "vpc-endpoint-id": "VpcEndpointId",
    "vpc-endpoint-type": "VpcEndpointType",
    "vpc-endpoint-state": "State",
}


def apply(_: Settings) -> None:
    """Patch EC2."""
    for name in (
        "_vpc_endpoints",
        "_network_interfaces",
        "_parse_filters",
        "_parse_member_list",
        "_parse_tag_specs",
        "_p",
    ):
        attribute(ec2, name)
    wrap_entry(ec2, "_ACTION_MAP", "CreateVpcEndpoint", _create_endpoint)
    wrap_entry(ec2, "_ACTION_MAP", "DescribeVpcEndpoints", _describe_endpoints)
    wrap_entry(ec2, "_ACTION_MAP", "CreateNetworkInterface", _create_interface)
    wrap(ec2, "_vpce_fields_xml", _endpoint_fields)


def _create_endpoint(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(params: Mapping[str, Any]) -> Any:
        response, made = _with_new(ec2._vpc_endpoints, lambda: original(params))
        for endpoint_id in made:
            endpoint = ec2._vpc_endpoints[endpoint_id]
            interface = endpoint["VpcEndpointType"] == "Interface"
            endpoint["PrivateDnsEnabled"] = interface and ec2._p(params, "PrivateDnsEnabled", "true") == "true"
            endpoint["Groups"] = ec2._parse_member_list(params, "SecurityGroupId")
        return response

    return create


def _describe_endpoints(_: Callable[..., Any]) -> Callable[..., Any]:
    def describe(params: Mapping[str, Any]) -> Any:
        filters, ids = ec2._parse_filters(params), ec2._parse_member_list(params, "VpcEndpointId")
        unknown = filters.keys() - FILTERS.keys()
        if unknown:
            return ec2._error(
                "InvalidParameterValue", f"The emulated EC2 does not know the filters {sorted(unknown)}", 400
            )
        found = [
            ec2._vpce_fields_xml(endpoint)
            for endpoint in ec2._vpc_endpoints.values()
            if (not ids or endpoint["VpcEndpointId"] in ids)
            and all(endpoint[FILTERS[name]] in values for name, values in filters.items())
        ]
        return ec2._xml(200, "DescribeVpcEndpointsResponse", f"<vpcEndpointSet>{''.join(found)}</vpcEndpointSet>")

    return describe


def _endpoint_fields(original: Callable[..., str]) -> Callable[..., str]:
    def fields(endpoint: Mapping[str, Any], tag: str = "item") -> str:
        groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in endpoint.get("Groups", []))
        private = str(endpoint.get("PrivateDnsEnabled", False)).lower()
        more = f"<privateDnsEnabled>{private}</privateDnsEnabled><groupSet>{groups}</groupSet>"
        return original(endpoint, tag=tag).replace("<routeTableIdSet>", f"{more}<routeTableIdSet>", 1)

    return fields


def _create_interface(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(params: Mapping[str, Any]) -> Any:
        if ec2._p(params, "SubnetId") not in ec2._subnets:
            subnet = ec2._p(params, "SubnetId")
            return ec2._error("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist", 400)
        response, made = _with_new(ec2._network_interfaces, lambda: original(params))
        for interface_id in made:
            ec2._parse_tag_specs(params, "network-interface", interface_id)
        return response

    return create


def _with_new(store: Any, make: Callable[[], Any]) -> tuple[Any, set[str]]:
    """What `make` answers, and the ids that it added to a store."""
    before = set(store.keys())
    response = make()
    return response, set(store.keys()) - before
