"""Resources that Kubernetes serves, by API group, to find names that it hasn't.

Source: the API reference of Kubernetes v1.36; some that earlier versions had.
"""

__all__ = ["CORE", "GROUPS", "SUBRESOURCES", "groups_of"]

CORE = ""

GROUPS: dict[str, frozenset[str]] = {
    group: frozenset(names.split())
    for group, names in {
        CORE: (
            "bindings componentstatuses configmaps endpoints events limitranges"
            " namespaces nodes persistentvolumeclaims persistentvolumes pods"
            " podtemplates replicationcontrollers resourcequotas secrets"
            " serviceaccounts services"
        ),
        "admissionregistration.k8s.io": (
            "mutatingwebhookconfigurations validatingwebhookconfigurations"
            " validatingadmissionpolicies validatingadmissionpolicybindings"
            " mutatingadmissionpolicies mutatingadmissionpolicybindings"
        ),
        "apiextensions.k8s.io": "customresourcedefinitions",
        "apiregistration.k8s.io": "apiservices",
        "apps": ("controllerrevisions daemonsets deployments replicasets statefulsets"),
        "authentication.k8s.io": "tokenreviews selfsubjectreviews",
        "authorization.k8s.io": (
            "localsubjectaccessreviews selfsubjectaccessreviews"
            " selfsubjectrulesreviews subjectaccessreviews"
        ),
        "autoscaling": "horizontalpodautoscalers",
        "batch": "cronjobs jobs",
        "certificates.k8s.io": "certificatesigningrequests clustertrustbundles",
        "coordination.k8s.io": "leases leasecandidates",
        "discovery.k8s.io": "endpointslices",
        "events.k8s.io": "events",
        "flowcontrol.apiserver.k8s.io": ("flowschemas prioritylevelconfigurations"),
        "metrics.k8s.io": "nodes pods",
        "networking.k8s.io": (
            "ingressclasses ingresses ipaddresses networkpolicies servicecidrs"
        ),
        "node.k8s.io": "runtimeclasses",
        "policy": "poddisruptionbudgets podsecuritypolicies",
        "rbac.authorization.k8s.io": (
            "clusterrolebindings clusterroles rolebindings roles"
        ),
        "resource.k8s.io": (
            "deviceclasses resourceclaims resourceclaimtemplates resourceslices"
        ),
        "scheduling.k8s.io": "priorityclasses",
        "storage.k8s.io": (
            "csidrivers csinodes csistoragecapacities storageclasses"
            " volumeattachments volumeattributesclasses"
        ),
        # Of Kubernetes before 1.22.
        "extensions": (
            "daemonsets deployments ingresses networkpolicies podsecuritypolicies"
            " replicasets"
        ),
    }.items()
}

SUBRESOURCES: dict[str, frozenset[str]] = {
    resource: frozenset(names.split())
    for resource, names in {
        "namespaces": "finalize status",
        "nodes": "proxy status",
        "pods": (
            "attach binding ephemeralcontainers eviction exec log portforward proxy"
            " resize status"
        ),
        "secrets": "",
        "configmaps": "",
        "serviceaccounts": "token",
        "services": "proxy status",
    }.items()
}
"""What is below some resources of the core group."""


def groups_of(resource: str) -> list[str]:
    """Return the groups that have a *resource* of this name; the newest come first."""
    return [group for group, names in GROUPS.items() if resource in names]
