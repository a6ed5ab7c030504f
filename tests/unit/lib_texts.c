/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/texts.h>

static void expect(const char *sentence, const char *json)
{
    struct buf out;
    struct jsonw w;

    buf_init(&out, 4096);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    texts_write(&w, "t", sentence);
    jsonw_end(&w);
    cr_assert_str_eq(out.data, json, "%s: %s", sentence, out.data);
    buf_free(&out);
}

Test(texts, a_sentence_without_places_is_its_code)
{
    expect("it is a template", "{\"t\":{\"code\":\"state.template\",\"params\":{}}}");
}

Test(texts, what_stands_in_the_places_comes_along_by_name)
{
    expect("it is running: this needs force",
           "{\"t\":{\"code\":\"state.needs-force\",\"params\":{\"state\":\"running\"}}}");
    expect("stop does not work on web 01, which is off",
           "{\"t\":{\"code\":\"state.wrong\",\"params\":{\"verb\":\"stop\",\"name\":\"web "
           "01\",\"state\":\"off\"}}}");
}

Test(texts, a_sentence_inside_a_sentence_is_found_too)
{
    expect("port 443: Connection refused", "{\"t\":{\"code\":\"probe.port\",\"params\":{\"port\":"
                                           "\"443\",\"why\":{\"code\":\"os.refused\",\"params\":{},"
                                           "\"text\":\"Connection refused\"}}}}");
    expect("name: is required", "{\"t\":{\"code\":\"about\",\"params\":{\"what\":\"name\",\"why\":{"
                                "\"code\":\"value.required\",\"params\":{},"
                                "\"text\":\"is required\"}}}}");
}

Test(texts, a_reason_that_nobody_knows_stays_as_it_is)
{
    expect("port 443: the moon is full", "{\"t\":{\"code\":\"probe.port\",\"params\":{\"port\":"
                                         "\"443\",\"why\":\"the moon is full\"}}}");
}

Test(texts, what_a_sentence_is_about_may_be_a_sentence_itself)
{
    expect("starting web 01: another task works on the object",
           "{\"t\":{\"code\":\"about\",\"params\":{\"what\":{\"code\":\"step.hyperv-start\","
           "\"params\":{"
           "\"name\":\"web 01\"},\"text\":\"starting web "
           "01\"},\"why\":{\"code\":\"fault.busy\",\"params\":{},"
           "\"text\":\"another task works on the object\"}}}}");
}

Test(texts, the_words_of_the_other_side_stay_behind_ours)
{
    expect("it is in use [Die Datei wird verwendet.]",
           "{\"t\":{\"code\":\"native.text\",\"params\":{\"why\":{\"code\":\"fault.in-use\","
           "\"params\":{},"
           "\"text\":\"it is in use\"},\"native\":\"Die Datei wird verwendet.\"}}}");
}

Test(texts, what_became_of_the_work_before_stands_behind_the_reason)
{
    expect("it is in use; what was done before is taken back",
           "{\"t\":{\"code\":\"op.undone\",\"params\":{\"why\":{\"code\":\"fault.in-use\","
           "\"params\":{},\"text\":\"it is in use\"}}}}");
    expect("starting web 01: it is in use; what was done before is taken back",
           "{\"t\":{\"code\":\"op.undone\",\"params\":{\"why\":{\"code\":\"about\",\"params\":{"
           "\"what\":{\"code\":\"step.hyperv-start\",\"params\":{\"name\":\"web 01\"},"
           "\"text\":\"starting web 01\"},\"why\":{\"code\":\"fault.in-use\",\"params\":{},"
           "\"text\":\"it is in use\"}},\"text\":\"starting web 01: it is in use\"}}}}");
}

Test(texts, a_fault_of_a_filter_says_where_and_what)
{
    expect("column 4: the quote is not closed",
           "{\"t\":{\"code\":\"filter.column\",\"params\":{\"column\":\"4\",\"why\":{\"code\":"
           "\"filter.quote\","
           "\"params\":{},\"text\":\"the quote is not closed\"}}}}");
    expect("column 1: memory.bytes needs a number, such as 8GiB, not \"much\"",
           "{\"t\":{\"code\":\"filter.column\",\"params\":{\"column\":\"1\",\"why\":{\"code\":"
           "\"filter.number-such\","
           "\"params\":{\"path\":\"memory.bytes\",\"such\":\"8GiB\",\"value\":\"much\"},"
           "\"text\":\"memory.bytes needs a number, such as 8GiB, not \\\"much\\\"\"}}}}");
}

Test(texts, what_nobody_knows_gets_no_code)
{
    static const char *const strangers[] = {
        "",
        "no such sentence",
        "a: b",
        "it is running: this needs forces",
        "port x is open",
        "there is no such thing here",
        "web 01 is very old",
    };

    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
        expect(strangers[i], "{}");
    expect(NULL, "{}");
}

Test(texts, a_long_sentence_of_a_stranger_costs_little)
{
    char text[1200];
    struct text_found found;

    memset(text, ':', sizeof(text));
    for (size_t i = 1; i < sizeof(text); i += 2)
        text[i] = ' ';
    text[sizeof(text) - 1] = '\0';
    cr_assert_not(texts_find(text, &found), "longer than a sentence");
    text[1000] = '\0';
    cr_assert_not(texts_find(text, &found));
}

Test(texts, every_code_is_there_once_and_every_place_has_a_name)
{
    for (const struct text *t = texts_all(); t->code; t++) {
        size_t places = 0, names = t->places[0] != '\0';

        for (const struct text *other = t + 1; other->code; other++) {
            cr_assert_str_neq(t->code, other->code);
            cr_assert(strncmp(t->code, "usual.", 6) == 0 || strcmp(t->english, other->english) != 0,
                      "%s", t->code);
        }
        for (const char *p = t->english; *p; p++)
            places += *p == '%';
        for (const char *p = t->places; *p; p++)
            names += *p == ' ';
        cr_assert_eq(places, names, "%s", t->code);
    }
}

Test(texts, every_line_without_places_is_found_as_itself)
{
    for (const struct text *t = texts_all(); t->code; t++) {
        struct text_found found;

        if (t->places[0] || !t->english[0])
            continue;
        cr_assert(texts_find(t->english, &found), "%s", t->code);
        cr_assert_str_eq(found.text->english, t->english);
    }
}
