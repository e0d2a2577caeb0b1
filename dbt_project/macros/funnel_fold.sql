{# The best attempt of one user on one day, by folding over `history`: (microseconds, steps matched as bits), sorted.

   Names that the query must provide: history, size (steps of the funnel), span (window in microseconds), opens and
   closes (the entry day in microseconds, from and before). Names that it leaves: times, one for each step reached.

   First fold: for each step, the latest start from which it can have been reached by now, and when it was first
   reached. A later start is never worse, as it expires later. Second fold: from the first start that reaches as
   far, when each step was reached. No attempt gets as far earlier, so this is the best one. #}

{# A moment is (time, oldest start still in the window, start or 0, for each step the step to come from: itself
   if the moment does not reach it). Within a moment events count in any order, each for one step: steps
   l+1..r can be done together unless some of these steps are matched by fewer events than they are (Hall). #}
{% macro funnel_moments() -%}
    arraySplit((event, gap) -> gap > 0, history, arrayDifference(history.1)) as together,
    arrayMap(
        events -> (
            events[1].1,
            arrayMap(step -> toUInt8(step - bitTest(events[1].2, step - 1)), range(1, size + 1))
        ),
        arrayFilter(events -> length(events) = 1, together)
    ) as lone_moments,
    arrayMap(
        events -> (
            events[1].1,
            arrayFilter(
                steps -> bitCount(steps) > arrayCount(event -> bitAnd(event.2, steps) != 0, events),
                range(1, toUInt16(bitShiftLeft(toUInt16(1), size)))
            )
        ),
        arrayFilter(events -> length(events) > 1, together)
    ) as short_of_events,
    arrayMap(
        moment -> (
            moment.1,
            arrayMap(
                level -> arrayMin(arrayConcat([size], arrayMap(
                    steps -> toUInt8(floor(log2(steps))),
                    arrayFilter(steps -> steps % bitShiftLeft(toUInt16(1), level) = 0, moment.2)
                ))),
                range(0, size + 1)
            )
        ),
        short_of_events
    ) as reached_from,
    arrayMap(
        moment -> (
            moment.1,
            arrayMap(
                step -> toUInt8(arrayFirstIndex(
                    (reached, level) -> reached >= step and (level > 0 or (moment.1 >= opens and moment.1 < closes)),
                    moment.2, range(0, size + 1)
                ) - 1),
                range(1, size + 1)
            )
        ),
        reached_from
    ) as shared_moments,
    arrayMap(
        moment -> (
            moment.1,
            greatest(moment.1 - span, 1),
            if(moment.1 >= opens and moment.1 < closes, moment.1, 0),
            moment.2
        ),
        arraySort(moment -> moment.1, arrayConcat(lone_moments, shared_moments))
    ) as moments
{%- endmacro %}

{% macro funnel_fold_ordered() -%}
    {{ funnel_moments() }},
    arrayResize([]::Array(Int64), size, 0::Int64) as nothing,
    arrayFold(
        (reached, moment) -> (
            arrayMap(
                (start, origin) -> if(
                    if(origin = 0, moment.3, reached.1[origin]) >= moment.2,
                    greatest(start, if(origin = 0, moment.3, reached.1[origin])), start
                ),
                reached.1, moment.4
            ),
            arrayMap(
                (at, origin) -> if(
                    at = 0 and if(origin = 0, moment.3, reached.1[origin]) >= moment.2, moment.1, at
                ),
                reached.2, moment.4
            )
        ),
        moments, (nothing, nothing)
    ).2 as first_reached,
    first_reached[arrayCount(at -> at > 0, first_reached)] as done_at,
    arrayFirst(moment -> moment.3 > 0 and moment.4[1] = 0 and moment.1 >= done_at - span, moments).1 as began_at,
    arrayFilter(at -> at > 0, arrayFold(
        (reached, moment) -> arrayMap(
            (at, origin) -> if(at = 0 and (origin = 0 or reached[origin] > 0), moment.1, at), reached, moment.4
        ),
        arrayFilter(moment -> moment.1 >= began_at and moment.1 <= done_at, moments), nothing
    )) as times
{%- endmacro %}

{# Without order the state is not how far but which steps: for each set of steps, as bits, the latest start. #}
{% macro funnel_fold_unordered() -%}
    arrayMap(
        event -> (
            event.1, greatest(event.1 - span, 1), if(event.1 >= opens and event.1 < closes, event.1, 0), event.2
        ),
        history
    ) as moments,
    range(1, toUInt16(bitShiftLeft(toUInt16(1), size))) as sets,
    arrayMap(step -> toUInt16(bitShiftLeft(toUInt16(1), step)), range(size)) as bits,
    arrayResize([]::Array(Int64), length(sets), 0::Int64) as nothing,
    arrayFold(
        (reached, moment) -> arrayMap(
            (start, before, at) -> (
                if(start >= moment.2, greatest(before, start), before),
                if(at = 0 and start >= moment.2, moment.1, at)
            ),
            arrayMap(
                steps -> arrayMax(arrayMap(
                    bit -> if(
                        bitAnd(bitAnd(steps, moment.4), bit) = 0, 0,
                        if(steps = bit, moment.3, reached[bitXor(steps, bit)].1)
                    ),
                    bits
                )),
                sets
            ),
            reached.1, reached.2
        ),
        moments, arrayZip(nothing, nothing)
    ).2 as first_reached,
    {{ _first_by_count('first_reached') }}[-1] as done_at,
    arrayFirst(moment -> moment.3 > 0 and moment.1 >= done_at - span, moments).1 as began_at,
    arrayFold(
        (reached, moment) -> arrayMap(
            (at, steps) -> if(
                at = 0 and arrayExists(
                    bit -> bitAnd(bitAnd(steps, moment.4), bit) != 0
                        and (steps = bit or reached[bitXor(steps, bit)] > 0),
                    bits
                ),
                moment.1, at
            ),
            reached, sets
        ),
        arrayFilter(moment -> moment.1 >= began_at and moment.1 <= done_at, moments), nothing
    ) as reached_since,
    {{ _first_by_count('reached_since') }} as times
{%- endmacro %}

{# When 1, 2, ... different steps were first done, from when each set of steps was. #}
{% macro _first_by_count(reached) -%}
    arrayFilter(at -> at < 9223372036854775807, arrayMap(
        count -> arrayMin(arrayMap(
            (at, steps) -> if(bitCount(steps) = count and at > 0, at, 9223372036854775807), {{ reached }}, sets
        )),
        range(1, size + 1)
    ))
{%- endmacro %}
