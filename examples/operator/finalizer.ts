/** The cleanup before a resource is deleted: deletes its ConfigMap and its checkpoint. */
import type { CheckpointStore, ExternalSource } from "@koprs/external";
import { type Api, ApiError } from "./api.ts";
import { removeConfigMap } from "./mirror.ts";
import { type Found, nameOf, type SourceResource } from "./resource.ts";

export const FINALIZER = "external.koprs.dev/cleanup";
const TRIES = 5;

/** The path of a resource. */
export function resourcePath({ metadata }: SourceResource): string {
  const { namespace, name } = metadata;
  return `/apis/external.koprs.dev/v1alpha1/namespaces/${namespace}/externalsources/${name}`;
}

/** Adds the finalizer. Called before anything is created that needs cleanup. */
export async function addFinalizer(api: Api, resource: SourceResource): Promise<void> {
  await edit(api, resource, (found) => {
    if (found.metadata.deletionTimestamp !== undefined) throw new Error("it is being deleted");
    const finalizers = found.metadata.finalizers ?? [];
    return finalizers.includes(FINALIZER) ? undefined : [...finalizers, FINALIZER];
  });
}

/**
 * The source that is in the group for a resource that is being deleted. Its poll does the cleanup, so the replica
 * that owns the source does it, and a failure is retried with back-off, like that of any other poll.
 */
export function cleanup(
  api: Api,
  resource: SourceResource,
  checkpoints: CheckpointStore,
): ExternalSource<Found> {
  const name = nameOf(resource);
  let isDone = false;
  return {
    name,
    async poll({ signal }) {
      if (isDone || !resource.metadata.finalizers?.includes(FINALIZER)) return [];
      await removeConfigMap(api, resource, signal);
      // After the claim, a replica that had the source before cannot write the state again.
      await checkpoints.claim?.(name);
      await checkpoints.delete?.(name);
      await edit(
        api,
        resource,
        ({ metadata: { finalizers = [] } }) =>
          finalizers.includes(FINALIZER)
            ? finalizers.filter((finalizer) => finalizer !== FINALIZER)
            : undefined,
      );
      isDone = true;
      return [];
    },
  };
}

/** Replaces the finalizers. If others have written meanwhile, reads the resource again and retries. */
async function edit(
  api: Api,
  resource: SourceResource,
  change: (found: SourceResource) => readonly string[] | undefined,
): Promise<void> {
  const path = resourcePath(resource);
  for (let tries = 1;; tries++) {
    const { status, body } = await api.request<SourceResource>({
      method: "GET",
      path,
      allow: [404],
    });
    // Gone, or another resource of the same name, which must not be touched.
    if (status === 404 || body.metadata.uid !== resource.metadata.uid) return;
    const finalizers = change(body);
    if (finalizers === undefined) return;
    const { resourceVersion } = body.metadata;
    try {
      const metadata = { resourceVersion, finalizers };
      await api.request({ method: "PATCH", path, type: "merge", body: { metadata }, allow: [404] });
      return;
    } catch (thrown) {
      if (!(thrown instanceof ApiError && thrown.status === 409 && tries < TRIES)) throw thrown;
    }
  }
}
