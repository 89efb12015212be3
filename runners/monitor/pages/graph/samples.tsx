/** The last elements that a step has made, read anew while somebody looks. */
import type { GraphStep, StepSamples } from "../../../job/job-view.js";
import { dateTime } from "../format.js";
import { Code, VisibleText } from "../parts/code.js";
import { Loaded } from "../parts/notice.js";
import { useResource } from "../use-resource.js";

const refreshMs = 2_000;

export function Samples({ step }: { readonly step: GraphStep }) {
  // nothing is asked for where it is known that there is nothing
  const reason = step.unknown === undefined ? "They are not known." : step.unknown.samples;
  return (
    <>
      <h3>Last elements</h3>
      {reason === undefined ? <Elements id={step.id} /> : <p class="muted">{reason}</p>}
    </>
  );
}

function Elements({ id }: { readonly id: string }) {
  const resource = useResource<StepSamples>("/api/graph/samples", { step: id }, refreshMs);
  return (
    <Loaded resource={resource}>
      {({ elements }) =>
        elements.length === 0 ? (
          <p class="muted">It has made none yet.</p>
        ) : (
          <Code class="raw" label="The last elements, the newest first">
            {elements.toReversed().map(({ output, eventTimeMs, text }, at) => (
              // the list is a window over what flows: nothing in it has a name
              <span key={at}>
                {eventTimeMs === null ? "" : `${dateTime(eventTimeMs)} `}
                {output === "" ? "" : `${output} `}
                <VisibleText text={text} />
                {"\n"}
              </span>
            ))}
          </Code>
        )
      }
    </Loaded>
  );
}
