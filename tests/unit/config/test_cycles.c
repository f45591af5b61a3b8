/* Pipelines that write in a circle: what is said about them. */
#include "checked.h"

#define CIRCLE                                                                            \
    ", which leads back to it: unless the filters stop it, a record goes round 16 times " \
    "and then fails\n"

static void pipelines_that_write_in_a_circle_are_warned_of(void **state)
{
    (void)state;
    assert_said("tables:\n"
                "  t-a: { key: { id: S }, stream: new_image }\n"
                "  t-b: { key: { id: S }, stream: new_image }\n"
                "  t-c: { key: { id: S } }\n"
                "pipelines:\n"
                "  forth:\n"
                "    source: { table: t-a }\n"
                "    steps: [{ put: { table: t-b, item: { id: \"${new.id}\" } } }]\n"
                "  out:\n"
                "    source: { table: t-b }\n"
                "    steps: [{ put: { table: t-c, item: { id: \"${new.id}\" } } }]\n"
                "  back:\n"
                "    source: { table: t-b }\n"
                "    steps: [{ put: { table: t-a, item: { id: \"${new.id}\" } } }]\n",
            "weir.yaml:6:3: warning: pipeline 'forth' reads table 't-a' and writes to 't-b'" CIRCLE
            "weir.yaml:12:3: warning: pipeline 'back' reads table 't-b' and writes to "
            "'t-a'" CIRCLE);
}

static void circles_through_queues_are_warned_of(void **state)
{
    (void)state;
    assert_said("tables: { t-a: { key: { id: S }, stream: new_image } }\n"
                "queues: { q-a: {}, q-b: {} }\n"
                "pipelines:\n"
                "  forth:\n"
                "    source: { table: t-a }\n"
                "    steps: [{ send: { queue: q-a } }]\n"
                "  out:\n"
                "    source: { table: t-a }\n"
                "    steps: [{ send: { queue: q-b } }]\n"
                "  back:\n"
                "    source: { queue: q-a }\n"
                "    steps: [{ put: { table: t-a, item: { id: \"${message.id}\" } } }]\n",
            "weir.yaml:4:3: warning: pipeline 'forth' reads table 't-a' and sends to 'q-a'" CIRCLE
            "weir.yaml:10:3: warning: pipeline 'back' reads queue 'q-a' and writes to "
            "'t-a'" CIRCLE);
}

static void circles_of_what_fails_are_warned_of(void **state)
{
    (void)state;
    assert_said("tables: { t-a: { key: { id: S }, stream: new_image } }\n"
                "queues:\n"
                "  work: { redrive: { queue: bad, after: 3 } }\n"
                "  bad: {}\n"
                "  other: { redrive: { queue: work, after: 3 } }\n"
                "pipelines:\n"
                "  first:\n"
                "    source: { table: t-a }\n"
                "    steps: [{ log: x }]\n"
                "    on_failure: { queue: work }\n"
                "  second:\n"
                "    source: { queue: work }\n"
                "    steps: [{ log: x }]\n"
                "  third:\n"
                "    source: { queue: bad }\n"
                "    steps: [{ send: { queue: work } }]\n",
            "weir.yaml:11:3: warning: pipeline 'second' reads queue 'work' and leaves what fails "
            "in "
            "'bad'" CIRCLE "weir.yaml:14:3: warning: pipeline 'third' reads queue 'bad' and sends "
            "to 'work'" CIRCLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_that_write_in_a_circle_are_warned_of),
        cmocka_unit_test(circles_through_queues_are_warned_of),
        cmocka_unit_test(circles_of_what_fails_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
