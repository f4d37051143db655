"""THE table of the admin API: a row for every endpoint. Routes, checks and the OpenAPI document are made from it."""

# fmt: off

from __future__ import annotations

from typing import Final

from lightningstor.admin.api import about, buckets, grants, iam_shapes, principals, quotas, shapes, tenants
from lightningstor.admin.api.endpoint import Access, Endpoint

__all__ = ["ENDPOINTS"]

GET, POST, PUT, PATCH, DELETE = "GET", "POST", "PUT", "PATCH", "DELETE"
_KNOWN: Final = Access.ANYONE_KNOWN
_READ: Final = "`lightningstor:iam:read`"
_MANAGE: Final = "`lightningstor:iam:manage`"
_OWN: Final = "the principal itself, or `lightningstor:iam:manage`"

ENDPOINTS: Final = (
    # The caller and the daemon
    Endpoint(
        "whoAmI", GET, "/whoami", "The caller.",
        about.who_am_i, answer=shapes.WhoAmI, access=_KNOWN, needs="anyone with credentials",
    ),
    Endpoint(
        "getServer", GET, "/server", "Version, region and readiness of the daemon.",
        about.server_info, answer=shapes.ServerInfo,
    ),
    Endpoint(
        "listJobs", GET, "/jobs", "What runs in the background.",
        about.list_jobs, answer=shapes.JobList,
    ),
    # Organisations, projects, groups
    Endpoint(
        "listOrgs", GET, "/orgs", "All organisations.",
        tenants.list_orgs, answer=iam_shapes.OrgList,
        query=shapes.PageQuery,
    ),
    Endpoint(
        "createOrg", POST, "/orgs", "Make an organisation.",
        tenants.create_org, body=iam_shapes.NewTenant, answer=iam_shapes.OrgInfo, status=201,
        names="id",
    ),
    Endpoint(
        "getOrg", GET, "/orgs/{org}", "An organisation.",
        tenants.get_org, answer=iam_shapes.OrgInfo, access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "deleteOrg", DELETE, "/orgs/{org}", "Delete an organisation that has nothing in it.",
        tenants.delete_org, status=204,
    ),
    Endpoint(
        "listProjects", GET, "/orgs/{org}/projects", "Projects of an organisation.",
        tenants.list_projects, answer=iam_shapes.ProjectList, access=_KNOWN, needs=_READ,
        query=shapes.PageQuery,
    ),
    Endpoint(
        "createProject", POST, "/orgs/{org}/projects", "Make a project.",
        tenants.create_project, body=iam_shapes.NewTenant, answer=iam_shapes.ProjectInfo, status=201,
        access=_KNOWN, needs=_MANAGE,
        names="id",
    ),
    Endpoint(
        "getProject", GET, "/orgs/{org}/projects/{project}", "A project.",
        tenants.get_project, answer=iam_shapes.ProjectInfo, access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "deleteProject", DELETE, "/orgs/{org}/projects/{project}", "Delete a project that has nothing in it.",
        tenants.delete_project, status=204, access=_KNOWN, needs=_MANAGE,
    ),
    Endpoint(
        "listGroups", GET, "/orgs/{org}/groups", "Groups of an organisation.",
        tenants.list_groups, answer=iam_shapes.GroupList, access=_KNOWN, needs=_READ,
        query=shapes.PageQuery,
    ),
    Endpoint(
        "createGroup", POST, "/orgs/{org}/groups", "Make a group.",
        tenants.create_group, body=iam_shapes.NewTenant, answer=iam_shapes.GroupInfo, status=201,
        access=_KNOWN, needs=_MANAGE,
        names="id",
    ),
    Endpoint(
        "getGroup", GET, "/orgs/{org}/groups/{group}", "A group and its members.",
        tenants.get_group, answer=iam_shapes.GroupInfo, access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "deleteGroup", DELETE, "/orgs/{org}/groups/{group}", "Delete a group; its grants go with it.",
        tenants.delete_group, status=204, access=_KNOWN, needs=_MANAGE,
    ),
    # Grants
    Endpoint(
        "listGrants", GET, "/orgs/{org}/grants", "Grants of an organisation.",
        grants.list_grants, query=iam_shapes.GrantsQuery, answer=iam_shapes.GrantList, access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "createGrant", POST, "/orgs/{org}/grants", "Attach a statement.",
        grants.create_grant, body=iam_shapes.NewGrant, answer=iam_shapes.GrantInfo, status=201,
        access=_KNOWN, needs=_MANAGE,
        names="id",
    ),
    Endpoint(
        "deleteGrant", DELETE, "/orgs/{org}/grants/{grant}", "Take a grant back.",
        grants.delete_grant, status=204, access=_KNOWN, needs=_MANAGE,
    ),
    # Principals and their keys
    Endpoint(
        "listPrincipals", GET, "/principals", "Users and service accounts.",
        principals.list_principals, query=iam_shapes.PrincipalsQuery, answer=iam_shapes.PrincipalList,
        access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "createPrincipal", POST, "/principals", "Make a user or service account.",
        principals.create_principal, body=iam_shapes.NewPrincipal, answer=iam_shapes.PrincipalInfo,
        status=201, access=_KNOWN, needs=_MANAGE,
        names="id",
    ),
    Endpoint(
        "getPrincipal", GET, "/principals/{principal}", "A user or service account.",
        principals.get_principal, answer=iam_shapes.PrincipalInfo, access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "changePrincipal", PATCH, "/principals/{principal}", "Change a user or service account.",
        principals.change_principal, body=iam_shapes.PrincipalChange, answer=iam_shapes.PrincipalInfo,
        access=_KNOWN, needs=_MANAGE,
    ),
    Endpoint(
        "deletePrincipal", DELETE, "/principals/{principal}", "Delete a principal with its keys, tokens and grants.",
        principals.delete_principal, status=204, access=_KNOWN, needs=_MANAGE,
    ),
    Endpoint(
        "listAccessKeys", GET, "/principals/{principal}/access-keys", "Access keys of a principal.",
        principals.list_access_keys, answer=iam_shapes.AccessKeyList, access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "createAccessKey", POST, "/principals/{principal}/access-keys", "Make an access key.",
        principals.create_access_key, body=iam_shapes.NewAccessKey, answer=iam_shapes.IssuedAccessKey,
        status=201, access=_KNOWN, needs=_OWN,
        names="access_key",
    ),
    Endpoint(
        "changeAccessKey", PATCH, "/principals/{principal}/access-keys/{access_key}", "Let an access key expire.",
        principals.change_access_key, body=iam_shapes.AccessKeyChange, answer=iam_shapes.AccessKeyInfo,
        access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "deleteAccessKey", DELETE, "/principals/{principal}/access-keys/{access_key}", "Revoke an access key.",
        principals.delete_access_key, status=204, access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "rotateAccessKey", POST, "/principals/{principal}/access-keys/{access_key}/rotate", "Replace an access key.",
        principals.rotate_access_key, body=iam_shapes.KeyRotation, answer=iam_shapes.IssuedAccessKey,
        status=201, access=_KNOWN, needs=_OWN,
        names="access_key",
    ),
    Endpoint(
        "listApiKeys", GET, "/principals/{principal}/api-keys", "API keys of a principal.",
        principals.list_api_keys, answer=iam_shapes.ApiKeyList, access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "createApiKey", POST, "/principals/{principal}/api-keys", "Make an API key.",
        principals.create_api_key, body=iam_shapes.NewApiKey, answer=iam_shapes.IssuedApiKey, status=201,
        access=_KNOWN, needs=_OWN,
        names="id",
    ),
    Endpoint(
        "deleteApiKey", DELETE, "/principals/{principal}/api-keys/{api_key}", "Revoke an API key.",
        principals.delete_api_key, status=204, access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "issueToken", POST, "/principals/{principal}/tokens", "Issue a bearer token.",
        principals.issue_token, body=iam_shapes.NewToken, answer=iam_shapes.IssuedToken, status=201,
        access=_KNOWN, needs=_OWN,
    ),
    Endpoint(
        "revokeTokens", DELETE, "/principals/{principal}/tokens", "Revoke all bearer tokens of a principal.",
        principals.revoke_tokens, status=204, access=_KNOWN, needs=_OWN,
    ),
    # Quotas
    Endpoint(
        "getOrgQuota", GET, "/orgs/{org}/quota", "Limits and usage of an organisation.",
        quotas.get_quota, answer=iam_shapes.QuotaInfo, access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "setOrgQuota", PUT, "/orgs/{org}/quota", "Set the limits of an organisation.",
        quotas.set_quota, body=iam_shapes.QuotaChange, answer=iam_shapes.QuotaInfo,
    ),
    Endpoint(
        "getProjectQuota", GET, "/orgs/{org}/projects/{project}/quota", "Limits and usage of a project.",
        quotas.get_quota, answer=iam_shapes.QuotaInfo, access=_KNOWN, needs=_READ,
    ),
    Endpoint(
        "setProjectQuota", PUT, "/orgs/{org}/projects/{project}/quota", "Set the limits of a project.",
        quotas.set_quota, body=iam_shapes.QuotaChange, answer=iam_shapes.QuotaInfo,
    ),
    Endpoint(
        "getBucketQuota", GET, "/buckets/{bucket}/quota", "Limits and usage of a bucket.",
        quotas.get_quota, answer=iam_shapes.QuotaInfo, access=_KNOWN, needs="`lightningstor:buckets:get`",
        query=shapes.BucketQuery,
    ),
    Endpoint(
        "setBucketQuota", PUT, "/buckets/{bucket}/quota", "Set the limits of a bucket.",
        quotas.set_quota, body=iam_shapes.QuotaChange, answer=iam_shapes.QuotaInfo,
        query=shapes.BucketQuery,
    ),
    # Buckets and open uploads
    Endpoint(
        "listBuckets", GET, "/buckets", "Buckets of an organisation or project.",
        buckets.list_buckets, query=shapes.BucketsQuery, answer=shapes.BucketList,
        access=_KNOWN, needs="`lightningstor:buckets:list`",
    ),
    Endpoint(
        "createBucket", POST, "/buckets", "Make a bucket.",
        buckets.create_bucket, body=shapes.NewBucket, answer=shapes.BucketInfo, status=201,
        access=_KNOWN, needs="`lightningstor:buckets:create`",
    ),
    Endpoint(
        "getBucket", GET, "/buckets/{bucket}", "A bucket with its usage.",
        buckets.get_bucket, answer=shapes.BucketInfo, access=_KNOWN, needs="`lightningstor:buckets:get`",
        query=shapes.BucketQuery,
    ),
    Endpoint(
        "changeBucket", PATCH, "/buckets/{bucket}", "Change versioning or tags of a bucket.",
        buckets.change_bucket, body=shapes.BucketChange, answer=shapes.BucketInfo,
        access=_KNOWN, needs="`lightningstor:buckets:update`",
        query=shapes.BucketQuery,
    ),
    Endpoint(
        "deleteBucket", DELETE, "/buckets/{bucket}", "Delete an empty bucket.",
        buckets.delete_bucket, status=204, access=_KNOWN, needs="`lightningstor:buckets:delete`",
        query=shapes.BucketQuery,
    ),
    Endpoint(
        "listUploads", GET, "/buckets/{bucket}/uploads", "Open multipart uploads of a bucket.",
        buckets.list_uploads, query=shapes.UploadsQuery, answer=shapes.UploadList,
        access=_KNOWN, needs="`lightningstor:uploads:list`",
    ),
    Endpoint(
        "abortUpload", DELETE, "/buckets/{bucket}/uploads/{upload_id}", "Abort a multipart upload and free its parts.",
        buckets.abort_upload, query=shapes.AbortQuery, status=204, access=_KNOWN, needs="`lightningstor:uploads:abort`",
    ),
)
