{{- define "proxmox-offerings.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of everything that there is once in a release: the release's, with the chart's unless that is in it. */}}
{{- define "proxmox-offerings.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "proxmox-offerings.selectorLabels" -}}
app.kubernetes.io/name: {{ include "proxmox-offerings.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "proxmox-offerings.labels" -}}
{{- include "proxmox-offerings.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The metadata of an object, without its name: (list $ "namespaced" or "cluster" [labels [annotations]]) */}}
{{- define "proxmox-offerings.metadata" -}}
{{- $top := first . }}
{{- if eq (index . 1) "namespaced" }}
namespace: {{ $top.Release.Namespace }}
{{- end }}
labels:
  {{- $labels := dict }}
  {{- if gt (len .) 2 }}{{ $labels = index . 2 }}{{ end }}
  {{- toYaml (merge (include "proxmox-offerings.labels" $top | fromYaml) $labels $top.Values.commonLabels) | nindent 2 }}
{{- $annotations := dict }}
{{- if gt (len .) 3 }}{{ $annotations = index . 3 }}{{ end }}
{{- with merge (dict) $annotations $top.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "proxmox-offerings.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "proxmox-offerings.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "proxmox-offerings.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- with .Values.image.digest }}{{ printf "@%s" . }}{{ end }}
{{- end }}

{{- define "proxmox-offerings.subject" -}}
- kind: ServiceAccount
  name: {{ include "proxmox-offerings.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* All that the operator does in Kubernetes, but for the Lease. */}}
{{- define "proxmox-offerings.rules" -}}
- apiGroups: [proxmox-offerings.io]
  resources: [proxmoxhosts]
  verbs: [get, list, watch]
- apiGroups: [proxmox-offerings.io]
  resources: [proxmoxhosts/status, offerings/status]
  verbs: [patch]
- apiGroups: [proxmox-offerings.io]
  resources: [offerings]
  verbs: [list, watch, create, patch, delete]
# What kubectl describe shows of the past. Never read, changed or deleted.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# The one Secret that a ProxmoxHost names, in its own namespace: by name, so neither list nor watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}

{{/* What can be told before anything is installed. */}}
{{- define "proxmox-offerings.check" -}}
{{- $election := .Values.leaderElection }}
{{- if and (not $election.enabled) (gt (int .Values.replicaCount) 1) }}
{{- fail "replicaCount is more than 1 while leaderElection.enabled is false: two operators would undo each other's work. Elect one, or run one." }}
{{- end }}
{{- if and .Values.shareWork (not $election.enabled) }}
{{- fail "shareWork needs leaderElection.enabled: the replicas divide the work by Leases." }}
{{- end }}
{{- if and .Values.shareWork (gt (int .Values.replicaCount) 16) }}
{{- fail "shareWork: at most 16 replicas share the work; more would stand by." }}
{{- end }}
{{- if not (and (gt (float64 $election.leaseDurationSeconds) (float64 $election.renewDeadlineSeconds)) (ge (float64 $election.renewDeadlineSeconds) (mulf 2.0 (float64 $election.retryPeriodSeconds)))) }}
{{- fail "leaderElection: leaseDurationSeconds must be more than renewDeadlineSeconds, and that at least twice retryPeriodSeconds." }}
{{- end }}
{{/* `lookup` finds nothing where no cluster is asked: `helm template` for Argo CD or kubectl, which can apply both at once. */}}
{{- if and .Values.proxmoxHosts (lookup "v1" "Namespace" "" "default") (not (.Capabilities.APIVersions.Has "proxmox-offerings.io/v1alpha1/ProxmoxHost")) }}
{{- $first := "`kubectl apply --server-side -f crds.yaml` first, a file of the release (`proxmox-offerings crds` prints it)" }}
{{- if .Values.crds.enabled }}
{{- fail (printf "proxmoxHosts: Helm cannot install hosts together with their CustomResourceDefinitions. Install without proxmoxHosts, then upgrade with them. Or %s, and install with crds.enabled=false." $first) }}
{{- end }}
{{- fail (printf "proxmoxHosts: the cluster does not know the kind ProxmoxHost, and crds.enabled is false. Do %s." $first) }}
{{- end }}
{{- end }}
